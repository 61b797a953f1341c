// Mux: a tree of path segments. Matching goes down the most special branch first and comes back
// where that ends nowhere; its work is bounded by the tree, and it does not recurse deeper than
// patterns have segments.
#include <weir/http/server.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include "server_conn.h"
#include "text.h"

namespace weir::http {

namespace {

using Values = std::vector<std::pair<std::string, std::string>>;

struct Target {
  std::string method;              // "": any
  std::vector<std::string> names;  // of the pattern's {name}s, in their order
  Handler handler;
};

struct Node {
  std::map<std::string, Node, std::less<>> literal;
  std::unique_ptr<Node> any;  // {name}
  std::vector<Target> here;   // the pattern ends here
  std::vector<Target> rest;   // {name...}, or a slash at the end
};

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  path.remove_prefix(1);
  for (;;) {
    const size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == path.npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

struct Match {
  const std::vector<std::string_view>& path;
  const std::string& method;
  std::vector<std::string_view> values{};
  const Target* found = nullptr;
  std::vector<std::string_view> allowed{};  // methods that would have matched

  bool take(const std::vector<Target>& targets) {
    for (const Target& t : targets) {
      if (t.method == method) found = &t;
    }
    for (const Target& t : targets) {
      if (!found && t.method == "GET" && method == "HEAD") found = &t;
    }
    for (const Target& t : targets) {
      if (!found && t.method.empty()) found = &t;
      if (!found) allowed.push_back(t.method);
    }
    return found != nullptr;
  }

  bool find(const Node& node, size_t at) {
    if (at == path.size()) return take(node.here);
    if (const auto child = node.literal.find(path[at]); child != node.literal.end()) {
      if (find(child->second, at + 1)) return true;
    }
    if (node.any && !path[at].empty()) {
      values.push_back(path[at]);
      if (find(*node.any, at + 1)) return true;
      values.pop_back();
    }
    if (node.rest.empty()) return false;
    // The views are of one string.
    const std::string_view last = path.back();
    values.emplace_back(path[at].data(),
                        static_cast<size_t>(last.data() + last.size() - path[at].data()));
    if (take(node.rest)) return true;
    values.pop_back();
    return false;
  }
};

}  // namespace

struct Mux::Routes {
  Node root;
};

Mux::Mux() : routes_(std::make_shared<Routes>()) {}

void Mux::handle(std::string_view pattern, Handler handler) {
  const auto bad = [pattern](const char* why) {
    return std::invalid_argument("http: pattern \"" + std::string(pattern) + "\": " + why);
  };
  Target target;
  std::string_view path = pattern;
  if (const size_t space = path.find(' '); space != path.npos) {
    target.method = path.substr(0, space);
    if (!is_token(target.method)) throw bad("the method is no word");
    path.remove_prefix(std::min(path.find_first_not_of(' ', space), path.size()));
  }
  if (!path.starts_with('/')) throw bad("the path does not start with /");
  target.handler = std::move(handler);
  Node* node = &routes_->root;
  std::vector<Target>* place = nullptr;
  const auto segments = split(path);
  for (size_t i = 0; i < segments.size(); ++i) {
    std::string_view s = segments[i];
    const bool last = i + 1 == segments.size();
    if (s.empty()) {
      if (!last) throw bad("an empty segment");
      target.names.emplace_back();
      place = &node->rest;
    } else if (s == "{$}") {
      if (!last) throw bad("{$} is for the end");
      node = &node->literal[""];
    } else if (s.starts_with('{') && s.ends_with('}')) {
      s = s.substr(1, s.size() - 2);
      const bool rest = s.ends_with("...");
      if (rest) s.remove_suffix(3);
      if (s.empty()) throw bad("a wildcard without a name");
      if (std::find(target.names.begin(), target.names.end(), s) != target.names.end()) {
        throw bad("two wildcards of one name");
      }
      if (rest && !last) throw bad("{name...} is for the end");
      target.names.emplace_back(s);
      if (rest) {
        place = &node->rest;
      } else {
        if (!node->any) node->any = std::make_unique<Node>();
        node = node->any.get();
      }
    } else if (s.find_first_of("{}") != s.npos) {
      throw bad("a wildcard must be a whole segment");
    } else {
      node = &node->literal.try_emplace(std::string(s)).first->second;
    }
  }
  if (!place) place = &node->here;
  for (const Target& t : *place) {
    if (t.method == target.method) throw bad("there is such a one already");
  }
  place->push_back(std::move(target));
}

void Mux::operator()(ResponseWriter& w, ServerRequest& r) const {
  const std::string& path = r.path();
  if (!path.starts_with('/')) return write_error(w, 404, "404 page not found");  // "*"
  std::vector<std::string_view> segments = split(path);
  Match match{segments, r.method()};
  if (match.find(routes_->root, 0)) {
    Values values;
    for (size_t i = 0; i < match.found->names.size(); ++i) {
      values.emplace_back(match.found->names[i], match.values[i]);
    }
    r.conn_.set_path_values(std::move(values));
    match.found->handler(w, r);
    return;
  }
  if (match.allowed.empty()) return write_error(w, 404, "404 page not found");
  std::string allow;
  if (std::find(match.allowed.begin(), match.allowed.end(), "GET") != match.allowed.end()) {
    match.allowed.emplace_back("HEAD");
  }
  std::sort(match.allowed.begin(), match.allowed.end());
  match.allowed.erase(std::unique(match.allowed.begin(), match.allowed.end()), match.allowed.end());
  for (const std::string_view method : match.allowed) {
    allow.append(allow.empty() ? "" : ", ").append(method);
  }
  w.headers().set("Allow", allow);
  write_error(w, 405, "method not allowed");
}

}  // namespace weir::http
