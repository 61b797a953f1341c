// Through libcurl: it has deadlines for everything from the look-up of a name on, and unix sockets.
#include "http_get.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string_view>
#include <system_error>

#include "failure.h"
#include "printable.h"

namespace weir::tools {

namespace {

constexpr long kMaxRedirects = 5;
constexpr size_t kMaxErrorBody = 4096;  // bytes of an answer that is only quoted

struct Receiver {
  CURL* curl;
  const HttpRequest& request;
  HttpAnswer answer;
  bool too_large = false;

  size_t take(std::string_view piece) {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 400) {
      const size_t room = kMaxErrorBody - std::min(kMaxErrorBody, answer.body.size());
      answer.body.append(piece.substr(0, room));
      return piece.size();
    }
    if (piece.size() > request.max_bytes - answer.body.size()) {
      too_large = true;
      return 0;
    }
    answer.body.append(piece);
    if (request.received) request.received(answer.body.size());
    return piece.size();
  }
};

size_t take_body(char* data, size_t one, size_t n, void* receiver) {
  try {
    return static_cast<Receiver*>(receiver)->take({data, one * n});
  } catch (const std::bad_alloc&) {
    return 0;
  }
}

// Each answer of a redirection begins anew.
size_t take_header(char* data, size_t one, size_t n, void* receiver) {
  const std::string_view line(data, one * n);
  if (line.starts_with("HTTP/")) static_cast<Receiver*>(receiver)->answer = {};
  return line.size();
}

std::string seconds_text(std::chrono::milliseconds time) {
  std::string text = std::to_string(static_cast<double>(time.count()) / 1000);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

std::string reason(CURL* curl, CURLcode code, const Receiver& r, const char* detail) {
  const std::string so_far =
      r.answer.body.empty() ? "" : " after " + bytes_text(r.answer.body.size());
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "the host cannot be found: no address has that name";
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "the proxy (http_proxy, https_proxy) cannot be found";
    case CURLE_COULDNT_CONNECT: {
      long error = 0;
      curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
      if (error == 0) return "cannot be connected to";
      return "cannot be connected to: " + std::generic_category().message(static_cast<int>(error));
    }
    case CURLE_OPERATION_TIMEDOUT:
      return "no whole answer within " + seconds_text(r.request.whole) + so_far +
             "; --timeout=SECONDS waits longer";
    case CURLE_GOT_NOTHING:
      return "closed the connection without an answer";
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return "the connection broke off" + so_far;
    case CURLE_WRITE_ERROR:
      if (r.too_large) return "the answer is larger than " + bytes_text(r.request.max_bytes);
      [[fallthrough]];
    case CURLE_BAD_CONTENT_ENCODING:
      return "the answer's compression is damaged" + so_far;
    case CURLE_TOO_MANY_REDIRECTS:
      return "redirects in a circle";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return "the answer is not HTTP";
    case CURLE_URL_MALFORMAT:
      return "is not a URL";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    default:
      return *detail != '\0' ? detail : curl_easy_strerror(code);
  }
}

bool is_local(const std::string& url) {
  const auto free_url = [](CURLU* u) { curl_url_cleanup(u); };
  const std::unique_ptr<CURLU, decltype(free_url)> parts(curl_url(), free_url);
  char* host = nullptr;
  if (curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK ||
      curl_url_get(parts.get(), CURLUPART_HOST, &host, 0) != CURLUE_OK) {
    return false;
  }
  const std::string name(host);
  curl_free(host);
  return name == "localhost" || name == "[::1]" || name.starts_with("127.");
}

std::string header_of(CURL* curl, const char* name) {
  curl_header* header = nullptr;
  if (curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return {};
  return header->value;
}

}  // namespace

HttpAnswer http_get(const std::string& target, const HttpRequest& request) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  const auto free_curl = [](CURL* c) { curl_easy_cleanup(c); };
  const std::unique_ptr<CURL, decltype(free_curl)> owner(curl_easy_init(), free_curl);
  CURL* const curl = owner.get();
  if (global != CURLE_OK || curl == nullptr) throw Failure(target, "libcurl cannot be started");

  Receiver receiver{curl, request, {}};
  char detail[CURL_ERROR_SIZE] = "";
  const auto set = [curl, &target](CURLoption option, auto value) {
    if (const CURLcode code = curl_easy_setopt(curl, option, value); code != CURLE_OK) {
      throw Failure(target, curl_easy_strerror(code));
    }
  };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, kMaxRedirects);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.timeout.count()));
  set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
  set(CURLOPT_USERAGENT, "weir");
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(detail));
  set(CURLOPT_WRITEFUNCTION, &take_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&receiver));
  set(CURLOPT_HEADERFUNCTION, &take_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&receiver));
  if (!request.unix_socket.empty()) {
    set(CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
  }
  // As Go has it: a proxy of the environment is not asked for what runs here.
  if (!request.unix_socket.empty() || is_local(request.url)) set(CURLOPT_PROXY, "");
  if (!request.token.empty()) {
    set(CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    set(CURLOPT_XOAUTH2_BEARER, request.token.c_str());
  }

  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) throw Failure(target, reason(curl, code, receiver, detail));
  HttpAnswer answer = std::move(receiver.answer);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  answer.content_type = header_of(curl, "Content-Type");
  answer.retry_after = header_of(curl, "Retry-After");
  return answer;
}

std::string refusal_text(const HttpAnswer& answer, bool had_token) {
  const std::string code = std::to_string(answer.status);
  // What the server says, where it says it to a person.
  std::string said;
  if (answer.content_type.starts_with("text/plain")) said = first_line(answer.body);
  if (!said.empty()) said = " (it says: " + said + ")";
  const std::string later =
      answer.retry_after.empty()
          ? ""
          : "; try again in " + first_line(answer.retry_after, 40) +
                (answer.retry_after.find_first_not_of("0123456789") == std::string::npos ? " s"
                                                                                         : "");
  switch (answer.status) {
    case 401:
      return had_token ? "401 Unauthorized: the token is wrong" + said
                       : "401 Unauthorized: it wants a token: give --token or set WEIR_TOKEN";
    case 403:
      return "403 Forbidden" + said;
    case 404:
      return "404 Not Found" + said;
    case 429:
      return "429 Too Many Requests" + later + said;
    case 503:
      return "503 Service Unavailable" + later + said;
    default:
      return "HTTP status " + code + later + said;
  }
}

}  // namespace weir::tools
