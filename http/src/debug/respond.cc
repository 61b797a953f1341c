// Queries and answers in cpp-httplib's terms (respond.h).

#include "respond.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "gunzip.h"

namespace weir::http::debug {

namespace {

using Clock = std::chrono::steady_clock;

std::string unpacked(const std::string& gzip) {
  std::string all;
  Gunzip().write(gzip, [&](const std::string& piece) {
    all += piece;
    return true;
  });
  return all;
}

void set_defaults(httplib::Response& res) { res.set_header("X-Content-Type-Options", "nosniff"); }

}  // namespace

Query query_of(const std::string& target, std::string_view method, std::string body) {
  const std::string_view whole = std::string_view(target).substr(0, target.find('#'));
  const size_t mark = std::min(whole.find('?'), whole.size());
  const std::string_view behind = whole.substr(std::min(mark + 1, whole.size()));
  auto params = std::make_shared<httplib::Params>();
  if (!behind.empty()) httplib::detail::parse_query_text(std::string(behind), *params);
  Query q{httplib::detail::decode_url(std::string(whole.substr(0, mark)), false),
          [params](const std::string& name) {
            const auto found = params->find(name);
            return found == params->end() ? std::string() : found->second;
          }};
  q.post = method == "POST";
  q.behind = behind;
  q.data = method == "POST" ? std::move(body) : q.behind;
  return q;
}

void respond(const Refusal& why, httplib::Response& res) {
  set_defaults(res);
  res.status = why.status;
  if (const size_t colon = why.header.find(": "); colon != std::string::npos) {
    res.set_header(why.header.substr(0, colon), why.header.substr(colon + 2));
  }
  res.set_content(why.text, "text/plain; charset=utf-8");
}

void respond(Answer a, Delivery delivery, httplib::Response& res) {
  set_defaults(res);
  res.status = a.status;
  for (const auto& [name, value] : a.headers) res.set_header(name, value);
  if (a.pprof_error) res.set_header("X-Go-Pprof", "1");
  if (!a.attachment.empty()) {
    res.set_header("Content-Disposition", "attachment; filename=\"" + a.attachment + "\"");
  }
  if (!a.write && !a.follow) {
    res.set_content(std::move(a.body), a.content_type);
    return;
  }
  const bool chunks = delivery.chunks;
  auto provide = [wait = std::move(a.wait), write = std::move(a.write),
                  follow = std::move(a.follow),
                  delivery = std::move(delivery)](size_t, httplib::DataSink& sink) {
    const auto wanted = [&] { return !delivery.stopping() && sink.is_writable(); };
    if (wait) wait(wanted);
    if (wait && !wanted()) return false;
    if (follow) {
      follow([&](std::string_view piece) { return sink.write(piece.data(), piece.size()); },
             wanted);
      sink.done();
      return true;
    }
    const auto start = Clock::now();
    const Patience& patience = delivery.patience;
    size_t written = 0;
    const bool whole = write([&](std::string_view piece) {
      written += piece.size();
      return Clock::now() - start < patience.answer + patience.for_bytes(written) &&
             sink.write(piece.data(), piece.size());
    });
    if (whole) sink.done();
    return whole;
  };
  if (chunks) {
    res.set_chunked_content_provider(a.content_type, std::move(provide));
  } else {
    res.set_content_provider(a.content_type, std::move(provide));
  }
}

void answer_query(const Query& query, Answer (*answer)(const Query&), Delivery delivery,
                  const httplib::Request& req, httplib::Response& res) {
  // The request is the library's own variable, which it has read all of by now.
  auto& own = const_cast<httplib::Request&>(req);
  own.ranges.clear();
  try {
    Answer a = answer(query);
    if (a.gzipped) {
      if (own.get_header_value("Accept-Encoding").find("gzip") == std::string::npos) {
        a.body = unpacked(a.body);
      } else {
        a.headers.emplace_back("Content-Encoding", "gzip");
        own.headers.erase("Accept-Encoding");  // it would be packed once more
      }
    }
    respond(std::move(a), std::move(delivery), res);
  } catch (const std::exception& e) {
    respond(Refusal{500, std::string("internal error: ") + e.what() + "\n", {}}, res);
  }
}

}  // namespace weir::http::debug
