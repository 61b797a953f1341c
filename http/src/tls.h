// The client's side of TLS over a connection, by OpenSSL. OpenSSL never blocks here: it encrypts
// and decrypts between buffers in memory, and what those want is read and written outside of it. So
// no goroutine parks within OpenSSL, whose errors are kept per OS thread.
#pragma once

#include <openssl/ssl.h>
#include <weir/http/error.h>
#include <weir/mutex.h>
#include <weir/net.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace weir::http {

// The other side does not speak TLS as it should, or is not believed.
struct TlsError : error {
  using error::error;
};

// What the connections of a client have in common: whom it trusts.
class TlsContext {
 public:
  // PEM file, or the system's where it is empty. Throws http::error naming the file.
  TlsContext(const std::string& ca_file, bool verify);
  SSL_CTX* get() const noexcept { return context_.get(); }
  bool verify() const noexcept { return verify_; }

 private:
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  bool verify_;
};

// One goroutine at a time reads; others may write meanwhile. Needs some 20 KiB of stack.
class Tls {
 public:
  // Does nothing yet.
  Tls(const TlsContext& context, net::Conn conn, const std::string& host);

  // Blocks. Throws TlsError that says why the server is not believed, net::error.
  void handshake();
  // At least one byte; 0: the server has said that it will send no more. Throws net::error, and
  // TlsError where the connection ends without that.
  size_t read(void* to, size_t size);
  // All of it. Throws net::error, TlsError.
  void write(std::string_view bytes);

 private:
  // Calls f(), an operation of OpenSSL, until it needs nothing more; what it returns then. 0: the
  // other side has closed.
  template <class F>
  int drive(F f);
  void send_pending();
  void receive();
  [[noreturn]] void fail(const char* doing, int why, unsigned long code);

  const net::Conn conn_;
  const std::string host_;
  const bool verify_;
  bool shaken_hands_ = false;
  Mutex write_mutex_;  // orders what is written to conn_; before the next one
  Mutex mutex_;        // of the following
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
  BIO* in_;   // of ssl_: what was received
  BIO* out_;  // of ssl_: what is to be sent
};

}  // namespace weir::http
