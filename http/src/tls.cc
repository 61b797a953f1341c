#include "tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <weir/http/error.h>

#include <arpa/inet.h>

#include <algorithm>
#include <climits>
#include <mutex>

namespace weir::http {

namespace {

constexpr size_t kRecord = 16 << 10;      // bytes of a record of TLS, about
constexpr size_t kMaxPending = 64 << 10;  // bytes: a record, and answers to new keys

std::string text_of(unsigned long code) {
  char text[256];
  ERR_error_string_n(code, text, sizeof text);
  return text;
}

bool is_ip(const std::string& host) {
  in6_addr any{};
  return inet_pton(AF_INET, host.c_str(), &any) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &any) == 1;
}

}  // namespace

TlsContext::TlsContext(const std::string& ca_file, bool verify)
    : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), verify_(verify) {
  if (!context_) throw error("http: TLS: " + text_of(ERR_get_error()));
  SSL_CTX_set_min_proto_version(get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(get(), verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  ERR_clear_error();
  const int loaded = ca_file.empty()
                         ? SSL_CTX_set_default_verify_paths(get())
                         : SSL_CTX_load_verify_locations(get(), ca_file.c_str(), nullptr);
  if (loaded != 1) {
    throw error("http: TLS: certificates of \"" + ca_file + "\": " + text_of(ERR_get_error()));
  }
}

Tls::Tls(const TlsContext& context, net::Conn conn, const std::string& host)
    : conn_(std::move(conn)),
      host_(host),
      verify_(context.verify()),
      ssl_(SSL_new(context.get()), SSL_free),
      in_(BIO_new(BIO_s_mem())),
      out_(BIO_new(BIO_s_mem())) {
  if (ssl_ && in_ && out_) SSL_set_bio(ssl_.get(), in_, out_);
  if (!ssl_ || !in_ || !out_) throw std::bad_alloc();
  BIO_set_mem_eof_return(in_, -1);  // empty is not the end
  static constexpr unsigned char kProtocol[] = "\x08http/1.1";
  SSL_set_alpn_protos(ssl_.get(), kProtocol, sizeof kProtocol - 1);
  if (is_ip(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
    SSL_set1_host(ssl_.get(), host.c_str());
  }
  SSL_set_connect_state(ssl_.get());
}

void Tls::fail(const char* doing, int why, unsigned long code) {
  std::string text = "http: TLS " + std::string(doing) + " with " + host_ + ": ";
  const long verdict = SSL_get_verify_result(ssl_.get());
  if (verify_ && verdict != X509_V_OK) {
    text.append("the certificate is not valid: ").append(X509_verify_cert_error_string(verdict));
  } else if (code != 0) {
    text.append(text_of(code));
  } else {
    text.append("failed (").append(std::to_string(why)).append(")");
  }
  throw TlsError(text);
}

void Tls::send_pending() {
  const std::lock_guard order(write_mutex_);
  std::string bytes;
  {
    const std::lock_guard hold(mutex_);
    bytes.resize(BIO_ctrl_pending(out_));
    if (bytes.empty()) return;
    BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
  }
  conn_.write(bytes);
}

void Tls::receive() {
  char buffer[kRecord];
  const size_t n = conn_.read(buffer, sizeof buffer);
  if (n == 0) throw TlsError("http: TLS with " + host_ + ": the connection was cut off (EOF)");
  const std::lock_guard hold(mutex_);
  BIO_write(in_, buffer, static_cast<int>(n));
}

template <class F>
int Tls::drive(F f) {
  for (;;) {
    int result, why;
    unsigned long code = 0;
    {
      const std::lock_guard hold(mutex_);
      ERR_clear_error();
      result = f();
      why = result > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
      if (why == SSL_ERROR_SSL || why == SSL_ERROR_SYSCALL) code = ERR_get_error();
      // Whoever only reads answers nothing; that is due before the next write (RFC 8446, 4.6.3).
      if (BIO_ctrl_pending(out_) > kMaxPending) {
        throw TlsError("http: TLS with " + host_ + ": the server wants too many answers");
      }
    }
    // Later, others write meanwhile, and may wait until the server has got rid of what is read
    // here.
    if (!shaken_hands_) send_pending();
    if (result > 0) return result;
    if (why == SSL_ERROR_ZERO_RETURN) return 0;
    if (why != SSL_ERROR_WANT_READ)
      fail(SSL_is_init_finished(ssl_.get()) ? "" : "handshake", why, code);
    receive();
  }
}

void Tls::handshake() {
  if (drive([this] { return SSL_do_handshake(ssl_.get()); }) == 0) {
    throw TlsError("http: TLS handshake with " + host_ + ": the server has closed the connection");
  }
  shaken_hands_ = true;
}

size_t Tls::read(void* to, size_t size) {
  const int most = static_cast<int>(std::min<size_t>(size, INT_MAX));
  return static_cast<size_t>(drive([&] { return SSL_read(ssl_.get(), to, most); }));
}

void Tls::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const int most = static_cast<int>(std::min(bytes.size(), kRecord));
    {
      const std::lock_guard hold(mutex_);
      ERR_clear_error();
      const int n = SSL_write(ssl_.get(), bytes.data(), most);
      if (n <= 0) fail("", SSL_get_error(ssl_.get(), n), ERR_get_error());
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    send_pending();
  }
}

}  // namespace weir::http
