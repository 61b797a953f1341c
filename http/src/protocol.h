// cpp-httplib's HTTP/1.1 without its sockets: it reads a request from a Stream and writes the
// answer to it. What the Stream is made of, who accepts connections, and on which threads, is ours.
//
// Included by those alone who speak the protocol: httplib.h is large.
#pragma once

#include <httplib.h>

namespace weir::http {

// Never listens by itself.
class ServerProtocol : public httplib::Server {
 public:
  // Reads one request of `stream`, has it handled, writes the answer. False: the connection is of
  // no use any more. `last`: answer that the connection will be closed. `closed`: either side wants
  // it closed. `set_up`: called with the request once its head has been read.
  using httplib::Server::process_request;
};

// Never connects by itself.
class ClientProtocol : public httplib::ClientImpl {
 public:
  ClientProtocol() : ClientImpl("") {}
  // Writes a request to `stream` and reads the response from it, whose body goes to the request's
  // content_receiver. False: it failed, for a reason that the stream or `error` knows.
  using httplib::ClientImpl::process_request;
};

}  // namespace weir::http
