// weir-http-peer: weir's HTTP server and client as a program, for tests against other
// implementations.
//
//   weir-http-peer serve            prints the URLs of the server and of its /debug endpoint
//   weir-http-peer get URL...       prints a line of JSON for each response or error

#include <openssl/evp.h>
#include <weir/http/client.h>
#include <weir/http/debug_server.h>
#include <weir/http/server.h>
#include <weir/weir.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using weir::http::ResponseWriter, weir::http::ServerRequest, weir::http::Response;

// Strings come from strangers, so they need not be UTF-8.
std::string dump(const json& j) {
  return j.dump(-1, ' ', true, json::error_handler_t::replace) + "\n";
}

json pairs(const weir::http::Headers& headers) {
  json all = json::array();
  for (const auto& [name, value] : headers) all.push_back({name, value});
  return all;
}

// ---- serve ----

constexpr size_t kPiece = 16 << 10;       // bytes
constexpr int64_t kStreamFrom = 1 << 20;  // bytes: a shorter body is read before it is answered
constexpr std::string_view kLine =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n";

std::atomic<int> slow_requests{0}, cancelled{0};

size_t number(const ServerRequest& r) { return std::stoul(std::string(r.path_value("n"))); }

// A short or chunked body as a whole; a long one as it comes.
void echo(ResponseWriter& w, ServerRequest& r) {
  if (const std::string type = r.header("Content-Type"); !type.empty()) {
    w.headers().set("Content-Type", type);
  }
  if (r.content_length() < kStreamFrom) {
    w.write(r.body(256 << 20));
    return;
  }
  w.headers().set("Content-Length", std::to_string(r.content_length()));
  std::string buffer(kPiece, 0);
  while (const size_t n = r.read(buffer.data(), buffer.size())) {
    w.write({buffer.data(), n});
    w.flush();
  }
}

// {n} bytes of kLine again and again.
void write_pattern(ResponseWriter& w, size_t n) {
  std::string lines;
  while (lines.size() < kPiece) lines += kLine;
  for (; n > lines.size(); n -= lines.size()) w.write(lines);
  w.write(std::string_view(lines).substr(0, n));
}

// Until the client leaves.
void slow(ResponseWriter& w, ServerRequest& r) {
  if (r.has_query("begin")) {
    w.write("begin\n");
    w.flush();
  }
  const weir::Context ctx = r.context();
  slow_requests++;
  ctx.done().recv();
  cancelled++;
}

weir::http::Mux routes() {
  weir::http::Mux mux;
  mux.handle("GET /hello", [](ResponseWriter& w, ServerRequest&) { w.write("hello, world\n"); });
  mux.handle("/echo", echo);
  mux.handle("GET /chunked/{n}",
             [](ResponseWriter& w, ServerRequest& r) { write_pattern(w, number(r)); });
  mux.handle("GET /sized/{n}", [](ResponseWriter& w, ServerRequest& r) {
    w.headers().set("Content-Length", std::string(r.path_value("n")));
    write_pattern(w, number(r));
  });
  mux.handle("GET /flushed/{n}", [](ResponseWriter& w, ServerRequest& r) {
    for (size_t i = 0, n = number(r); i < n; i++) {
      w.write("piece " + std::to_string(i) + "\n");
      w.flush();
    }
  });
  mux.handle("/status/{n}", [](ResponseWriter& w, ServerRequest& r) {
    w.write_header(static_cast<int>(number(r)));
    w.write("this is " + std::string(r.path_value("n")) + "\n");
  });
  mux.handle("/headers", [](ResponseWriter& w, ServerRequest& r) {
    w.headers().set("Content-Type", "application/json");
    w.write(dump({{"method", r.method()},
                  {"target", r.target()},
                  {"remote", r.remote_addr()},
                  {"headers", pairs(r.headers())},
                  {"content_length", r.content_length()},
                  {"body", r.body()}}));
  });
  mux.handle("POST /at-most/{n}",
             [](ResponseWriter& w, ServerRequest& r) { w.write(r.body(number(r))); });
  mux.handle("POST /not-read",
             [](ResponseWriter& w, ServerRequest&) { w.write("it was not read\n"); });
  mux.handle("POST /read-late", [](ResponseWriter& w, ServerRequest& r) {
    w.write("begin\n");
    w.flush();
    try {
      w.write("read " + std::to_string(r.body(256 << 20).size()) + "\n");
    } catch (const weir::http::error& e) {
      w.write(std::string(e.what()) + "\n");
    }
  });
  mux.handle("GET /cut", [](ResponseWriter& w, ServerRequest&) {
    w.write("half of it");
    w.flush();
    throw std::runtime_error("cut off, as the test wants it");
  });
  mux.handle("GET /slow", slow);
  mux.handle("GET /counts", [](ResponseWriter& w, ServerRequest&) {
    w.write(dump({{"slow", slow_requests.load()}, {"cancelled", cancelled.load()}}));
  });
  return mux;
}

int serve() {
  const weir::http::DebugServer debug("127.0.0.1:0");
  return weir::run([&debug] {
    weir::net::Listener listener = weir::net::listen("tcp", "127.0.0.1:0");
    std::printf("http://%s %s\n", listener.addr().to_string().c_str(), debug.url().c_str());
    std::fflush(stdout);
    weir::http::Server server(routes());
    server.serve(listener);
  });
}

// ---- get ----

struct GetOptions {
  std::vector<std::string> urls;
  std::string method = "GET";
  std::vector<std::string> headers;
  bool body = false;   // of stdin
  size_t pieces = 0;   // bytes; 0: as a whole
  bool sized = false;  // pieces with a Content-Length
  int repeat = 1, concurrency = 1;
  int timeout = 0;             // ms, for a request with its body
  int pause = 0;               // ms, after a request
  size_t shown = 4096;         // bytes: a longer body is not printed
  std::optional<size_t> read;  // bytes of the body, which is closed then
  weir::http::ClientOptions client;
};

std::string sha256(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < size; i++) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", digest[i]);
    hex += two;
  }
  return hex;
}

weir::http::Request request(const GetOptions& options, const std::string& url,
                            const std::string& body) {
  weir::http::Request r{.method = options.method, .url = url};
  for (const std::string& header : options.headers) {
    const size_t colon = header.find(": ");
    if (colon == header.npos) throw std::invalid_argument("no NAME: VALUE: " + header);
    r.headers.add(header.substr(0, colon), header.substr(colon + 2));
  }
  if (options.pieces == 0) {
    r.body = body;
    return r;
  }
  if (options.sized) r.body_length = static_cast<int64_t>(body.size());
  r.body_pieces = [&body, size = options.pieces, at = size_t{0}]() mutable {
    std::optional<std::string> piece;
    if (at < body.size()) piece = body.substr(at, size);
    at += size;
    return piece;
  };
  return r;
}

std::string read(Response& response, const std::optional<size_t>& most) {
  if (!most) return response.body.read_all(size_t{1} << 30);
  std::string bytes(*most, 0);
  size_t had = 0;
  while (had < *most) {
    const size_t n = response.body.read(bytes.data() + had, *most - had);
    if (n == 0) break;
    had += n;
  }
  bytes.resize(had);
  response.body.close();
  return bytes;
}

// One line; what came before an error is in it, too.
json get(weir::http::Client& client, const GetOptions& options, const std::string& url,
         const std::string& body) {
  json line;
  try {
    Response response = client.send(request(options, url, body));
    line = {{"url", response.url},
            {"status", response.status},
            {"reason", response.reason},
            {"headers", pairs(response.headers)},
            {"content_length", response.content_length},
            {"uncompressed", response.uncompressed}};
    const std::string got = read(response, options.read);
    line["length"] = got.size();
    line["sha256"] = sha256(got);
    if (got.size() <= options.shown) line["body"] = got;
  } catch (const std::exception& e) {
    line["error"] = e.what();
  }
  return line;
}

int get_all(const GetOptions& options, const std::string& body) {
  weir::http::Client client(options.client);
  weir::Mutex print;
  weir::WaitGroup all;
  for (int i = 0; i < options.concurrency; i++) {
    all.go([&] {
      for (int n = 0; n < options.repeat; n++) {
        for (const std::string& url : options.urls) {
          const std::string line = dump(get(client, options, url, body));
          {
            const std::scoped_lock hold(print);
            std::fputs(line.c_str(), stdout);
            std::fflush(stdout);
          }
          if (options.pause) weir::sleep_for(std::chrono::milliseconds(options.pause));
        }
      }
    });
  }
  all.wait();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("An HTTP server, or client, for tests.", "weir-http-peer");
  app.require_subcommand(1);
  const CLI::App* serving = app.add_subcommand("serve", "serves until it is killed");
  CLI::App* getting = app.add_subcommand("get", "fetches URLs, one after the other");
  GetOptions o;
  int dial_timeout = 30'000, head_timeout = 0;  // ms
  bool not_verified = false, not_decompressed = false;
  getting->add_option("url", o.urls)->required();
  getting->add_option("-X,--method", o.method);
  getting->add_option("-H,--header", o.headers, "\"Name: value\"")->expected(1)->take_all();
  getting->add_flag("--body", o.body, "send what stdin has");
  getting->add_option("--pieces", o.pieces, "send it in pieces of that many bytes, chunked");
  getting->add_flag("--sized", o.sized, "such pieces with a Content-Length, not chunked");
  getting->add_option("--repeat", o.repeat, "times");
  getting->add_option("--concurrency", o.concurrency, "so many at once do all that");
  getting->add_option("--read", o.read, "close the body after that many bytes");
  getting->add_option("--shown", o.shown, "print bodies of at most that many bytes");
  getting->add_option("--timeout", o.timeout, "ms, of a request");
  getting->add_option("--head-timeout", head_timeout, "ms, for the response's head");
  getting->add_option("--dial-timeout", dial_timeout, "ms");
  getting->add_option("--pause", o.pause, "ms, after each request");
  getting->add_option("--ca", o.client.ca_file, "PEM file");
  getting->add_flag("--insecure", not_verified);
  getting->add_flag("--no-gzip", not_decompressed);
  getting->add_option("--redirects", o.client.max_redirects);
  getting->add_option("--max-per-host", o.client.max_per_host);
  CLI11_PARSE(app, argc, argv);
  if (*serving) return serve();

  o.client.timeout = std::chrono::milliseconds(o.timeout);
  o.client.response_header_timeout = std::chrono::milliseconds(head_timeout);
  o.client.dial_timeout = std::chrono::milliseconds(dial_timeout);
  o.client.max_idle_per_host = 64;
  o.client.verify = !not_verified;
  o.client.decompress = !not_decompressed;
  std::string body;
  if (o.body) {
    char buffer[4096];
    while (const size_t n = std::fread(buffer, 1, sizeof buffer, stdin)) body.append(buffer, n);
  }
  return weir::run([&o, &body] { return get_all(o, body); });
}
