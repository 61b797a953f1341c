// TARGET (target.h): what it means, and in which order an endpoint is asked for what.
#include "target.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include <weir/profiler/parse.h>

#include "failure.h"
#include "http_get.h"
#include "number.h"
#include "printable.h"
#include "progress.h"

namespace weir::tools {

namespace {

using Clock = std::chrono::steady_clock;
using Received = std::function<void(size_t bytes)>;

constexpr std::string_view kUnix = "unix:";
constexpr const char* kWeirPath = "/debug/goroutine?format=json";
constexpr const char* kGoCounts = "/debug/pprof/goroutine?debug=1";
constexpr const char* kGoDump = "/debug/pprof/goroutine?debug=2";
constexpr size_t kMaxThreads = 8;

std::string error_text(int error) { return std::generic_category().message(error); }

// A debug endpoint, taken apart.
struct Endpoint {
  std::string base;         // "http://host:port/prefix", no slash at its end
  std::string unix_socket;  // empty: TCP
  bool is_full = false;     // TARGET names one answer, not an endpoint
  bool has_prefix = false;  // the base has a path
};

Endpoint endpoint_of(const std::string& target) {
  Endpoint e;
  if (target.starts_with(kUnix)) {
    e.unix_socket = target.substr(kUnix.size());
    if (e.unix_socket.empty()) throw Failure(target, "the path of the socket is missing");
    e.base = "http://localhost";
    return e;
  }
  const std::string url = target.substr(0, target.find('#'));
  const size_t host = url.find("://") + 3;
  const size_t end_of_host = std::min(url.find_first_of("/?", host), url.size());
  if (end_of_host == host) throw Failure(target, "the URL has no host");
  const size_t end_of_path = std::min(url.find('?'), url.size());
  std::string_view path = std::string_view(url).substr(end_of_host, end_of_path - end_of_host);
  const auto trim_slashes = [&path] {
    while (path.ends_with('/')) path.remove_suffix(1);
  };
  trim_slashes();
  const size_t debug = path.find("/debug/");
  for (const std::string_view index : {"/debug/ui", "/debug/pprof", "/debug"}) {
    if (path.ends_with(index)) {
      path.remove_suffix(index.size());
      trim_slashes();
      break;
    }
  }
  e.is_full = end_of_path < url.size() || path.find("/debug/") != path.npos;
  if (e.is_full && debug != path.npos) path = path.substr(0, debug);
  e.has_prefix = !path.empty();
  e.base = url.substr(0, end_of_host).append(path);
  return e;
}

void check_token(const std::string& token) {
  const bool is_printable =
      std::all_of(token.begin(), token.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
  if (!is_printable) throw Failure("--token", "it has characters that no token can have");
}

// All requests of one fetch() within one timeout.
class Asker {
 public:
  Asker(const std::string& target, const FetchOptions& options, Received received)
      : target_(target), options_(options), received_(std::move(received)) {
    check_token(options.token);
  }

  HttpAnswer ask(const std::string& url, const std::string& unix_socket) const {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
    return http_get(target_, {.url = url,
                              .unix_socket = unix_socket,
                              .token = options_.token,
                              .timeout = std::max(left, std::chrono::milliseconds(1)),
                              .whole = options_.timeout,
                              .max_bytes = options_.max_bytes,
                              .received = received_});
  }

  [[noreturn]] void refuse(const HttpAnswer& answer) const {
    throw Failure(target_, refusal_text(answer, !options_.token.empty()));
  }

 private:
  const std::string& target_;
  const FetchOptions& options_;
  const Received received_;
  const Clock::time_point deadline_ = Clock::now() + options_.timeout;
};

bool is_ok(const HttpAnswer& a) { return a.status == 200; }

// N of "goroutine profile: total N".
std::optional<uint64_t> counted(std::string_view debug1) {
  constexpr std::string_view kHead = "goroutine profile: total ";
  if (!debug1.starts_with(kHead)) return std::nullopt;
  uint64_t n = 0;
  const char* const begin = debug1.data() + kHead.size();
  const auto [at, error] = std::from_chars(begin, debug1.data() + debug1.size(), n);
  if (error != std::errc() || at == begin) return std::nullopt;
  return n;
}

// A large Go program is asked again and again by some commands, and told of once.
void note_counts_only(const std::string& target, uint64_t goroutines) {
  static std::mutex mu;
  static std::vector<std::string> told;
  std::scoped_lock hold(mu);
  if (std::find(told.begin(), told.end(), target) != told.end()) return;
  told.push_back(target);
  complain(target + ": note: " + std::to_string(goroutines) +
           " goroutines: without ids, wait reasons and times, since Go would stop the program for "
           "them; " +
           kGoDump + " in the URL asks for them all the same");
}

std::string fetch_endpoint(const std::string& target, const FetchOptions& options,
                           const Received& received) {
  const Endpoint e = endpoint_of(target);
  const Asker asker(target, options, received);
  if (e.is_full) {
    HttpAnswer answer = asker.ask(target.substr(0, target.find('#')), {});
    if (!is_ok(answer)) asker.refuse(answer);
    return std::move(answer.body);
  }
  // Whatever another program answers there (its own page for every path, a demand to log in) is
  // no reason not to ask for what a Go program has.
  HttpAnswer weir = asker.ask(e.base + kWeirPath, e.unix_socket);
  const bool is_json = weir.body.find_first_not_of(" \t\r\n") != std::string::npos &&
                       weir.body[weir.body.find_first_not_of(" \t\r\n")] == '{';
  if (is_ok(weir) && is_json) return std::move(weir.body);
  if (weir.status >= 500) asker.refuse(weir);

  HttpAnswer counts = asker.ask(e.base + kGoCounts, e.unix_socket);
  const std::optional<uint64_t> goroutines =
      is_ok(counts) ? counted(counts.body) : std::optional<uint64_t>();
  if (goroutines) {
    if (*goroutines > kMaxStopped) {
      if (!options.quiet) note_counts_only(target, *goroutines);
      return std::move(counts.body);
    }
    HttpAnswer dump = asker.ask(e.base + kGoDump, e.unix_socket);
    return is_ok(dump) ? std::move(dump.body) : std::move(counts.body);
  }
  if (e.has_prefix) {
    HttpAnswer plain = asker.ask(e.base, e.unix_socket);
    if (is_ok(plain)) return std::move(plain.body);
  }
  if (weir.status >= 400 && weir.status != 404) asker.refuse(weir);
  if (counts.status >= 400 && counts.status != 404) asker.refuse(counts);
  throw Failure(target,
                "no debug endpoint there: neither weir's /debug/goroutine nor Go's "
                "/debug/pprof/goroutine");
}

class File {
 public:
  explicit File(const std::string& target)
      : fd_(target == "-" ? STDIN_FILENO : open(target.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) throw Failure(target, error_text(errno));
  }
  ~File() {
    if (fd_ != STDIN_FILENO) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

std::string fetch_file(const std::string& target, const FetchOptions& options,
                       const Received& received) {
  if (target == "-" && isatty(STDIN_FILENO) == 1) {
    throw Failure("-", "stdin is a terminal: pipe a dump into it");
  }
  const File file(target);
  std::string bytes;
  struct stat status {};
  if (fstat(file.fd(), &status) == 0 && S_ISREG(status.st_mode)) {
    bytes.reserve(std::min(static_cast<size_t>(status.st_size) + 1, options.max_bytes));
  }
  std::string piece(size_t{1} << 20, '\0');
  while (true) {
    const ssize_t n = read(file.fd(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Failure(target, error_text(errno));
    if (n == 0) return bytes;
    if (static_cast<size_t>(n) > options.max_bytes - bytes.size()) {
      throw Failure(target, "is larger than " + bytes_text(options.max_bytes));
    }
    bytes.append(piece, 0, static_cast<size_t>(n));
    if (received) received(bytes.size());
  }
}

std::string fetch_quietly(const std::string& target, const FetchOptions& options,
                          const Received& received) {
  std::string bytes = is_endpoint(target) ? fetch_endpoint(target, options, received)
                                          : fetch_file(target, options, received);
  if (bytes.empty()) throw Failure(target, "is empty: no goroutines, and not a dump");
  return bytes;
}

profiler::Snapshot load_quietly(const std::string& target, const FetchOptions& options,
                                const Received& received) {
  return parse_dump(target, fetch_quietly(target, options, received), options);
}

}  // namespace

void add_fetch_options(CLI::App& command, FetchOptions& options) {
  command
      .add_option("--token", options.token,
                  "Bearer token of the endpoint; better in the environment, where other users "
                  "of the machine do not see it")
      ->envname("WEIR_TOKEN")
      ->type_name("TOKEN");
  command
      .add_option_function<double>(
          "--timeout",
          [&options](double seconds) {
            options.timeout = std::chrono::milliseconds(static_cast<long long>(seconds * 1000));
          },
          "How long to wait for an endpoint's whole answer")
      ->type_name("SECONDS")
      ->default_str("30")
      ->check(number_from(0.001, 86'400.0));
}

bool is_endpoint(std::string_view target) {
  return target.starts_with("http://") || target.starts_with("https://") ||
         target.starts_with(kUnix);
}

std::string get(const std::string& target, const std::string& path, const FetchOptions& options) {
  if (!is_endpoint(target)) throw Failure(target, "is no endpoint: expected a URL or unix:PATH");
  const Endpoint e = endpoint_of(target);
  Progress progress("asking " + target, {.shown = !options.quiet});
  const Asker asker(target, options, [&](size_t bytes) { progress.say(bytes_text(bytes)); });
  HttpAnswer answer = asker.ask(e.base + path, e.unix_socket);
  if (!is_ok(answer)) asker.refuse(answer);
  return std::move(answer.body);
}

profiler::Snapshot parse_dump(const std::string& target, std::string_view bytes,
                              const FetchOptions& options) {
  try {
    profiler::ParseOptions parse_options;
    parse_options.max_bytes = options.max_bytes;
    parse_options.cut_gzip = false;
    profiler::Snapshot s = profiler::parse(bytes, parse_options);
    if (s.truncated && !options.quiet) {
      complain(target + ": note: the dump was cut off: there were more goroutines than these");
    }
    return s;
  } catch (const profiler::ParseError& e) {
    throw Failure(target, e.what());
  }
}

std::string fetch(const std::string& target, const FetchOptions& options) {
  Progress progress("reading " + target, {.shown = !options.quiet});
  return fetch_quietly(target, options, [&](size_t bytes) { progress.say(bytes_text(bytes)); });
}

profiler::Snapshot load(const std::string& target, const FetchOptions& options) {
  return load_all({target}, options).front();
}

std::vector<profiler::Snapshot> load_all(const std::vector<std::string>& targets,
                                         const FetchOptions& options) {
  const bool one = targets.size() == 1;
  Progress progress("reading " + (one ? targets[0] : std::to_string(targets.size()) + " targets"),
                    {.shown = !options.quiet});
  std::vector<profiler::Snapshot> all(targets.size());
  std::vector<std::exception_ptr> failures(targets.size());
  std::atomic<size_t> next{0}, bytes{0}, ready{0};
  const auto say = [&] {
    progress.say((one ? "" : std::to_string(ready) + " ready, ") + bytes_text(bytes));
  };
  const auto work = [&] {
    for (size_t i; (i = next++) < targets.size();) {
      try {
        size_t counted = 0;
        all[i] = load_quietly(targets[i], options, [&](size_t now) {
          // A second answer of the same target begins anew.
          bytes += now - std::min(counted, now);
          counted = now;
          say();
        });
      } catch (...) {
        failures[i] = std::current_exception();
      }
      ++ready;
      say();
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(targets.size(), kMaxThreads); ++i) threads.emplace_back(work);
  work();
  for (std::thread& t : threads) t.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  return all;
}

}  // namespace weir::tools
