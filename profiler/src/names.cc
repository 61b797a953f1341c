// A demangled name is read once from left to right by recursive descent over its brackets; whatever
// does not parse is shown as it is.
#include "names.h"

#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>

namespace weir::profiler::names {

namespace {

constexpr int kMaxDepth = 100;                 // brackets within brackets
constexpr size_t kMaxInput = size_t{1} << 16;  // bytes; a demangled name can be exponentially long

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '$' || (c & 0x80) != 0;
}

// What ends the text that is being read.
enum class Until : uint8_t {
  end,       // the whole input: a function's name with return type and parameters
  argument,  // ',' or '>' of a template's arguments
  paren,     // ')' of a parenthesis, all of it
};

// Arguments that a std template has unless told otherwise, recognised by how they begin.
constexpr std::array<std::string_view, 6> kDefaultArguments = {
    "std::allocator<", "std::char_traits<", "std::less<",
    "std::equal_to<",  "std::hash<",        "std::default_delete<"};

struct Alias {
  std::string_view from, to;
};
constexpr std::array<Alias, 5> kAliases = {{{"std::basic_string<char>", "std::string"},
                                            {"std::basic_string_view<char>", "std::string_view"},
                                            {"std::basic_ostream<char>", "std::ostream"},
                                            {"std::basic_istream<char>", "std::istream"},
                                            {"std::basic_iostream<char>", "std::iostream"}}};

class Reader {
 public:
  explicit Reader(std::string_view s) : s_(s) {}

  std::string function() {
    std::string out = read(Until::end);
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return failed_ ? std::string() : out;
  }

 private:
  bool at(std::string_view what) const { return s_.substr(i_).starts_with(what); }

  bool skip(std::string_view what) {
    if (!at(what)) return false;
    i_ += what.size();
    return true;
  }

  std::string fail() {
    failed_ = true;
    i_ = s_.size();
    return {};
  }

  // The index behind the bracket that closes the one at `from`, counting this kind alone; npos:
  // none.
  size_t matching(size_t from, char open, char close) const {
    int depth = 0;
    for (size_t i = from; i < s_.size(); ++i) {
      if (s_[i] == open) depth++;
      if (s_[i] == close && --depth == 0) return i + 1;
    }
    return std::string_view::npos;
  }

  // cv- and ref-qualifiers of a member function, from `from` on.
  size_t behind_qualifiers(size_t from) const {
    for (bool more = true; more;) {
      more = false;
      for (std::string_view q : {" const", " volatile", " &&", " &", " noexcept"}) {
        if (!s_.substr(from).starts_with(q)) continue;
        const size_t next = from + q.size();
        if (next < s_.size() && is_word(s_[next])) continue;
        from = next;
        more = true;
      }
    }
    return from;
  }

  std::string read(Until until) {
    if (++depth_ > kMaxDepth) return fail();
    std::string out;
    while (i_ < s_.size() && !failed_) {
      const char c = s_[i_];
      if (until == Until::argument && (c == ',' || c == '>')) break;
      if (until == Until::paren && c == ')') break;
      const bool word_begins = out.empty() || !is_word(out.back());
      if (word_begins && at("operator") && (i_ + 8 == s_.size() || !is_word(s_[i_ + 8]))) {
        read_operator(out);
      } else if (word_begins && at("$_")) {
        read_clang_lambda(out);
      } else if (c == '<') {
        read_angle(out);
      } else if (c == '{') {
        read_brace(out);
      } else if (c == '(') {
        if (read_paren(out, until)) break;
      } else if (c == '[') {
        read_square(out);
      } else if (c == ' ') {
        read_space(out, until);
      } else {
        out.push_back(c);
        i_++;
        drop_abi_namespace(out);
      }
    }
    depth_--;
    return out;
  }

  // Everything up to a space was the return type, or words such as "non-virtual thunk to".
  void read_space(std::string& out, Until until) {
    i_++;
    if (until == Until::end) {
      out.clear();
    } else if (!at(">") && !at(")")) {
      out.push_back(' ');
    }
  }

  static void drop_abi_namespace(std::string& out) {
    if (out.back() != ':') return;
    for (std::string_view inline_namespace : {"std::__cxx11::", "std::_V2::", "std::__1::"}) {
      if (out.ends_with(inline_namespace)) {
        out.resize(out.size() - inline_namespace.size() + std::string_view("std::").size());
      }
    }
  }

  void read_operator(std::string& out) {
    static constexpr std::array<std::string_view, 41> kSymbols = {
        "<=>", "<<=", ">>=", "->*", "()", "[]", "->", "<<", ">>", "<=", ">=", "==",   "!=", "&&",
        "||",  "++",  "--",  "+=",  "-=", "*=", "/=", "%=", "&=", "|=", "^=", "+",    "-",  "*",
        "/",   "%",   "^",   "&",   "|",  "~",  "!",  "=",  "<",  ">",  ",",  "\"\"", "?"};
    i_ += 8;
    out += "operator";
    for (std::string_view symbol : kSymbols) {
      if (!skip(symbol)) continue;
      out += symbol;
      if (symbol == "\"\"" && skip(" ")) {  // a literal's suffix follows
        while (i_ < s_.size() && is_word(s_[i_])) out.push_back(s_[i_++]);
      }
      skip_space_before_angle();
      return;
    }
    for (std::string_view word : {" new[]", " new", " delete[]", " delete", " co_await"}) {
      if (!skip(word)) continue;
      out += word;
      return;
    }
    if (!skip(" ")) return;
    // A conversion: a type up to the empty parameter list.
    const size_t end = s_.find("()", i_);
    if (end == std::string_view::npos) {
      fail();
      return;
    }
    Reader type(s_.substr(i_, end - i_));
    type.depth_ = depth_;
    out += " " + type.read(Until::paren);
    failed_ |= type.failed_;
    i_ = end;
  }

  void skip_space_before_angle() {
    if (at(" <")) i_++;
  }

  // clang's lambdas that have no linkage: $_0, $_1, ... in the order of the file.
  void read_clang_lambda(std::string& out) {
    i_ += 2;
    const size_t from = i_;
    while (i_ < s_.size() && s_[i_] >= '0' && s_[i_] <= '9') i_++;
    const std::string digits(s_.substr(from, i_ - from));
    const unsigned long n = digits.empty() || digits.size() > 6 ? 0 : std::stoul(digits);
    append_lambda(out, "lambda", n + 1);
  }

  // The first is called "lambda", the others "lambda#2" and so on. That it is called by its
  // operator() goes without saying.
  void append_lambda(std::string& out, std::string_view what, unsigned long number) {
    out += what;
    if (number > 1) out += "#" + std::to_string(number);
    if (skip("::operator()") || skip("::_FUN") || skip("::__invoke")) {
      skip_space_before_angle();
      if (at("<")) {
        std::string dropped = "operator()";
        read_angle(dropped);
      }
    }
  }

  void read_angle(std::string& out) {
    if (at("<lambda(")) {
      const size_t close = matching(i_ + 7, '(', ')');
      if (close == std::string_view::npos || close >= s_.size() || s_[close] != '>') {
        fail();
        return;
      }
      i_ = close + 1;
      append_lambda(out, "lambda", 1);
      return;
    }
    if (skip("<lambda>")) {  // a lambda's constructor
      append_lambda(out, "lambda", 1);
      return;
    }
    const bool template_name =
        !out.empty() && (is_word(out.back()) || out.find("operator") != out.npos);
    i_++;
    if (!template_name) {
      out.push_back('<');
      return;
    }
    const bool of_std = last_name(out).starts_with("std::");
    std::string arguments;
    for (size_t n = 0; i_ < s_.size() && !failed_; ++n) {
      skip(" ");
      const std::string argument = read(Until::argument);
      const bool is_default =
          of_std && n > 0 &&
          std::any_of(kDefaultArguments.begin(), kDefaultArguments.end(),
                      [&](std::string_view d) { return argument.starts_with(d); });
      if (!is_default && !argument.empty()) arguments += (arguments.empty() ? "" : ", ") + argument;
      if (!skip(",")) break;
    }
    if (!skip(">")) {
      fail();
      return;
    }
    out += "<" + arguments + ">";
    for (const Alias& alias : kAliases) {
      if (out.ends_with(alias.from)) {
        out.resize(out.size() - alias.from.size());
        out += alias.to;
      }
    }
  }

  // The qualified name at the end of `out`.
  static std::string_view last_name(const std::string& out) {
    size_t from = out.size();
    while (from > 0 && (is_word(out[from - 1]) || out[from - 1] == ':')) from--;
    return std::string_view(out).substr(from);
  }

  void read_brace(std::string& out) {
    const size_t close = matching(i_, '{', '}');
    if (close == std::string_view::npos) {
      fail();
      return;
    }
    const std::string_view content = s_.substr(i_ + 1, close - i_ - 2);
    const size_t from = i_;
    i_ = close;
    const size_t hash = content.rfind('#');
    unsigned long number = 1;
    if (hash != std::string_view::npos) {
      const std::string digits(content.substr(hash + 1, 6));
      number = std::strtoul(digits.c_str(), nullptr, 10);
    }
    if (content.starts_with("lambda(")) {
      append_lambda(out, "lambda", number);
    } else if (content.starts_with("unnamed type#")) {
      append_lambda(out, "unnamed", number);
    } else if (content.starts_with("default arg#")) {
      append_lambda(out, "default_argument", number);
    } else {
      out += s_.substr(from, close - from);
    }
  }

  void read_square(std::string& out) {
    const size_t close = matching(i_, '[', ']');
    if (close == std::string_view::npos) {
      fail();
      return;
    }
    if (!at("[abi:")) out += s_.substr(i_, close - i_);
    i_ = close;
  }

  // True: the parameter list was met and the name is complete.
  bool read_paren(std::string& out, Until until) {
    if (skip("(anonymous namespace)")) {
      skip("::");
      return false;
    }
    const size_t close = matching(i_, '(', ')');
    if (close == std::string_view::npos) {
      fail();
      return false;
    }
    const std::string_view content = s_.substr(i_ + 1, close - i_ - 2);
    if (content.starts_with("lambda at ")) {
      i_ = close;
      append_lambda(out, "lambda", 1);
      return false;
    }
    if (content.starts_with("anonymous ")) {  // "anonymous class", "anonymous struct at f.cc:1:2"
      i_ = close;
      out += "unnamed";
      return false;
    }
    const size_t behind = behind_qualifiers(close);
    if (s_.substr(behind).starts_with("::")) {  // a function that something local belongs to
      i_ = behind;
      return false;
    }
    if (until == Until::end && !out.empty() && (behind == s_.size() || s_[behind] == '[')) {
      i_ = s_.size();
      return true;
    }
    if (until == Until::end && (content.starts_with("*") || content.starts_with("&"))) {
      // A function that returns a pointer to a function: its own name is in here.
      Reader inner(content.substr(1));
      inner.depth_ = depth_;
      out = inner.read(Until::end);
      failed_ |= inner.failed_;
      i_ = s_.size();
      return true;
    }
    i_++;
    out.push_back('(');
    out += read(Until::paren);
    if (skip(")")) {
      out.push_back(')');
    } else {
      fail();
    }
    return false;
  }

  std::string_view s_;
  size_t i_ = 0;
  int depth_ = 0;
  bool failed_ = false;
};

// One line of bounded length, never empty.
std::string finish(std::string name) {
  for (char& c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (name.size() > kMaxName) {
    size_t cut = kMaxName - 3;
    while (cut > 0 && (name[cut] & 0xc0) == 0x80) cut--;  // not within a UTF-8 character
    name.resize(cut);
    name += "...";
  }
  return name.empty() ? "?" : name;
}

std::string shorten(std::string_view demangled) {
  if (demangled.size() > kMaxInput) return finish(std::string(demangled.substr(0, kMaxName)));
  // " [clone .cold]" and the like.
  if (const size_t clone = demangled.find(" [clone "); clone != std::string_view::npos) {
    demangled = demangled.substr(0, clone);
  }
  std::string name = Reader(demangled).function();
  return finish(name.empty() ? std::string(demangled) : std::move(name));
}

}  // namespace

std::string from_symbol(std::string_view symbol) {
  const std::string copy(symbol.substr(0, kMaxInput));
  if (!copy.starts_with("_Z")) {
    // A C function; what compilers add behind a dot (".cold", ".constprop.0") is no part of its
    // name.
    const size_t dot = copy.find('.', 1);
    return finish(copy.substr(0, dot));
  }
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> demangled(
      abi::__cxa_demangle(copy.c_str(), nullptr, nullptr, &status), std::free);
  return demangled ? shorten(demangled.get()) : finish(copy);
}

std::string from_source(std::string_view name) {
  // Not a function's full signature: there is no return type to leave out.
  std::string text(name);
  if (const size_t space = text.find(' ');
      space != text.npos && space < text.find('<') && !text.starts_with("operator")) {
    return finish(std::move(text));
  }
  return shorten(text);
}

bool is_runtime(std::string_view readable) noexcept {
  if (readable.starts_with("weir_")) return true;  // the assembly's
  if (!readable.starts_with("weir::")) return false;
  for (std::string_view users : {"weir::http::", "weir::profiler::", "weir::testing::"}) {
    if (readable.starts_with(users)) return false;
  }
  return true;
}

}  // namespace weir::profiler::names
