// libFuzzer: the debug endpoint's way from the bytes of a connection to the bytes of its answers:
// framing, access, cpp-httplib's parser, routes. Those that capture or draw are left out: they take
// milliseconds each, and have tests and targets of their own.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "debug/access.h"
#include "debug/endpoint.h"
#include "debug/request_reader.h"
#include "debug/respond.h"
#include "debug/stop_signal.h"
#include "routes/routes.h"

namespace {

using namespace weir::http;
using namespace weir::http::debug;
using State = RequestReader::State;

constexpr size_t kHead = 16 << 10, kBody = 1 << 20;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::abort();
}

class Memory final : public httplib::Stream {
 public:
  explicit Memory(std::string head) : head_(std::move(head)) {}
  bool is_readable() const override { return at_ < head_.size(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, size_t size) override {
    const size_t n = head_.copy(to, size, at_);
    at_ += n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* from, size_t size) override {
    answer.append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return -1; }

  std::string answer;

 private:
  std::string head_;
  size_t at_ = 0;
};

void handle(const Request& r) {
  static const Access access{true, "127.0.0.1", "secret"};
  static const StopSignal stop;
  const Query q = query_of(r.target, r.method, r.body);
  access.refuse(r.method, q.path, r.fields.get("Host"), r.fields.get("Authorization"));
  if (Access{}.refuse(r.method, q.path, r.fields.get("Host"), "") || cost(q) != Cost::cheap) return;
  Memory stream(head_for_library(r));
  if (!serve_request(r, !r.keep_alive, {}, nullptr, {}, stop, stream)) fail("no answer");
  if (!stream.answer.starts_with("HTTP/1.1 ")) fail("no answer, but " + stream.answer);
}

// What a connection is read as: a line for each request and for how it ends.
std::vector<std::string> read(std::string_view bytes, size_t piece, bool serve) {
  std::vector<std::string> seen;
  std::string input;
  for (bool more = true; more;) {
    RequestReader reader(kHead, kBody);
    for (State before = State::head;;) {
      if (input.empty()) {
        const size_t n = std::min(piece, bytes.size());
        input = bytes.substr(0, n);
        bytes.remove_prefix(n);
        if (input.empty()) break;
      }
      const size_t taken = reader.feed(input);
      if (taken > input.size()) fail("took more than there is");
      input.erase(0, taken);
      if (reader.held() > kHead + kBody) fail("holds more than it may");
      if (reader.state() == State::complete || reader.state() == State::failed) break;
      if (taken == 0 && reader.state() == before) fail("takes nothing");
      before = reader.state();
    }
    Request& r = reader.request();
    std::string line = std::to_string(static_cast<int>(reader.state())) + " " + reader.why() + " " +
                       r.method + " " + r.target + " " + std::to_string(r.keep_alive) + " " +
                       r.body;
    for (const auto& [name, value] : r.fields) line += "\n" + name + ": " + value;
    seen.push_back(std::move(line));
    more = reader.state() == State::complete;
    if (more && serve) handle(r);
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = read(bytes, bytes.size() + 1, true);
  if (read(bytes, 1, false) != whole) fail("is read differently byte by byte");
  if (read(bytes, 5, false) != whole) fail("is read differently in pieces");
  return 0;
}
