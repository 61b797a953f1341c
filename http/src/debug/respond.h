// Queries and answers (routes.h) in cpp-httplib's terms.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "access.h"
#include "bounds.h"
#include "protocol.h"
#include "routes/routes.h"

namespace weir::http::debug {

// Of a request's target, and the body of a POST. The parameters are decoded as the library does.
Query query_of(const std::string& target, std::string_view method, std::string body);

void respond(const Refusal& why, httplib::Response& res);

// Where the answer goes, and for how long.
struct Delivery {
  bool chunks = true;           // HTTP/1.1: the end can be told without closing the connection
  std::shared_ptr<void> place;  // held until the answer is written: a slow reader keeps it
  Patience patience = {};
  std::function<bool()> stopping = [] { return false; };
};
void respond(Answer answer, Delivery delivery, httplib::Response& res);

// respond() with what `answer` gives; 500 where it throws. The library would cut an answer up for
// whoever asks for many ranges of it, and make it a thousand times as large: a server may pass over
// Range (RFC 9110, 14.2).
void answer_query(const Query& query, Answer (*answer)(const Query&), Delivery delivery,
                  const httplib::Request& req, httplib::Response& res);

}  // namespace weir::http::debug
