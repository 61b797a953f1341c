// URLs: what is taken, what they mean relative to each other, and that no password is shown.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include <weir/http/error.h>

#include "url.h"

namespace {

using weir::http::parse_url;
using weir::http::resolve;
using weir::http::Url;

std::string why_not(std::string_view text) {
  try {
    return "taken: " + parse_url(text).to_string();
  } catch (const weir::http::error& e) {
    return e.what();
  }
}

TEST(Url, Parts) {
  struct {
    const char *text, *scheme, *user, *host;
    int port;
    const char *target, *address, *field;
  } const cases[] = {
      {"http://h", "http", "", "h", 80, "/", "h:80", "h"},
      {"http://h:80/", "http", "", "h", 80, "/", "h:80", "h"},
      {"http://h:8080/a/b?x=1&y=2", "http", "", "h", 8080, "/a/b?x=1&y=2", "h:8080", "h:8080"},
      {"https://h/a", "https", "", "h", 443, "/a", "h:443", "h"},
      {"https://h:80/a", "https", "", "h", 80, "/a", "h:80", "h:80"},
      {"HTTP://h/A", "http", "", "h", 80, "/A", "h:80", "h"},
      {"http://h:/a", "http", "", "h", 80, "/a", "h:80", "h"},
      {"http://h?x=1", "http", "", "h", 80, "/?x=1", "h:80", "h"},
      {"http://h?x=/a", "http", "", "h", 80, "/?x=/a", "h:80", "h"},
      {"http://h#part", "http", "", "h", 80, "/", "h:80", "h"},
      {"http://h/a?b#c?d", "http", "", "h", 80, "/a?b", "h:80", "h"},
      {"http://h/a%20b%2Fc", "http", "", "h", 80, "/a%20b%2Fc", "h:80", "h"},
      {"http://u@h/", "http", "u", "h", 80, "/", "h:80", "h"},
      {"http://u:p%40ss%3a@h:1/", "http", "u:p@ss:", "h", 1, "/", "h:1", "h:1"},
      {"http://u:a%b%zz@h/", "http", "u:a%b%zz", "h", 80, "/", "h:80", "h"},
      {"http://h/a@b", "http", "", "h", 80, "/a@b", "h:80", "h"},
      {"http://[::1]/", "http", "", "::1", 80, "/", "[::1]:80", "[::1]"},
      {"http://u@[2001:db8::7]:9/x", "http", "u", "2001:db8::7", 9, "/x", "[2001:db8::7]:9",
       "[2001:db8::7]:9"},
      {"http://h:65535/", "http", "", "h", 65535, "/", "h:65535", "h:65535"},
      {"unix:/run/x.sock:/a?b", "unix", "", "/run/x.sock", 0, "/a?b", "/run/x.sock", "localhost"},
      {"unix:/run/x.sock", "unix", "", "/run/x.sock", 0, "/", "/run/x.sock", "localhost"},
      {"unix:@name:/", "unix", "", "@name", 0, "/", "@name", "localhost"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const Url u = parse_url(c.text);
    EXPECT_EQ(u.scheme, c.scheme);
    EXPECT_EQ(u.user_info, c.user);
    EXPECT_EQ(u.host, c.host);
    EXPECT_EQ(u.port, c.port);
    EXPECT_EQ(u.target, c.target);
    EXPECT_EQ(u.address(), c.address);
    EXPECT_EQ(u.host_field(), c.field);
    EXPECT_EQ(u.tls(), std::string(c.scheme) == "https");
    // What it is written as means the same, but for the secret.
    Url again = parse_url(u.to_string());
    EXPECT_EQ(again.user_info, "");
    EXPECT_EQ(again.address(), u.address());
    EXPECT_EQ(again.target, u.target);
  }
}

TEST(Url, MalformedOnesAreNamedWithAReason) {
  struct {
    const char *text, *why;
  } const cases[] = {
      {"", "there is no scheme"},
      {"h/a", "there is no scheme"},
      {"//h/a", "there is no scheme"},
      {"ftp://h/", "the scheme is none of"},
      {"localhost:8080/a", "the scheme is none of"},
      {"http:h/a", "there is no //"},
      {"http:/h/a", "there is no //"},
      {"http://", "there is no host"},
      {"http:///a", "there is no host"},
      {"http://:80/", "there is no host"},
      {"http://[]/", "there is no host"},
      {"http://[::1/", "a bracket is not closed"},
      {"http://[::1]x/", "the port is not"},
      {"http://::1/", "there is no host"},
      {"http://a::1/", "the port is not"},
      {"http://h:0/", "the port is not"},
      {"http://h:65536/", "the port is not"},
      {"http://h:-1/", "the port is not"},
      {"http://h:8x/", "the port is not"},
      {"http://h:99999999999999999999/", "the port is not"},
      {"http://h/a b", "a space or a control character"},
      {"unix:", "there is no path"},
      {"unix::/a", "there is no path"},
  };
  for (const auto& c : cases) {
    const std::string why = why_not(c.text);
    EXPECT_NE(why.find(c.why), why.npos) << c.text << ": " << why;
    EXPECT_NE(why.find("URL \"" + std::string(c.text) + "\""), why.npos) << why;
  }
  for (const std::string_view text :
       {std::string_view("http://h/\0x", 11), std::string_view("http://h/\nx"),
        std::string_view("http://h/\x7fx")}) {
    const std::string why = why_not(text);
    EXPECT_NE(why.find("\"http://h/?x\": it has a space or a control character"), why.npos) << why;
  }
}

TEST(Url, NoPasswordIsShown) {
  for (const char* text : {"http://u:secret@h:0/", "http://u:secret@h/a b", "http://u:sec/ret@h:0/",
                           "u:secret@h", "ftp://u:secret@h/", "http:u:secret@h/"}) {
    const std::string why = why_not(text);
    EXPECT_EQ(why.find("sec"), why.npos) << why;
    EXPECT_EQ(why.find("taken"), why.npos) << why;
  }
  EXPECT_EQ(parse_url("http://u:secret@h/a").to_string(), "http://h/a");
}

TEST(Url, ReferencesOfRfc3986) {
  const Url base = parse_url("http://a/b/c/d;p?q");
  struct {
    const char *reference, *target;
  } const cases[] = {
      // 5.4.1
      {"g", "/b/c/g"},
      {"./g", "/b/c/g"},
      {"g/", "/b/c/g/"},
      {"/g", "/g"},
      {"?y", "/b/c/d;p?y"},
      {"g?y", "/b/c/g?y"},
      {"#s", "/b/c/d;p?q"},
      {"g#s", "/b/c/g"},
      {"g?y#s", "/b/c/g?y"},
      {";x", "/b/c/;x"},
      {"g;x", "/b/c/g;x"},
      {"g;x?y#s", "/b/c/g;x?y"},
      {"", "/b/c/d;p?q"},
      {".", "/b/c/"},
      {"./", "/b/c/"},
      {"..", "/b/"},
      {"../", "/b/"},
      {"../g", "/b/g"},
      {"../..", "/"},
      {"../../", "/"},
      {"../../g", "/g"},
      // 5.4.2
      {"../../../g", "/g"},
      {"../../../../g", "/g"},
      {"/./g", "/g"},
      {"/../g", "/g"},
      {"g.", "/b/c/g."},
      {".g", "/b/c/.g"},
      {"g..", "/b/c/g.."},
      {"..g", "/b/c/..g"},
      {"./../g", "/b/g"},
      {"./g/.", "/b/c/g/"},
      {"g/./h", "/b/c/g/h"},
      {"g/../h", "/b/c/h"},
      {"g;x=1/./y", "/b/c/g;x=1/y"},
      {"g;x=1/../y", "/b/c/y"},
      {"g?y/./x", "/b/c/g?y/./x"},
      {"g?y/../x", "/b/c/g?y/../x"},
      {"g?u=http://x/", "/b/c/g?u=http://x/"},
      {"/a//b/", "/a//b/"},
  };
  for (const auto& c : cases) {
    const Url u = resolve(base, c.reference);
    EXPECT_EQ(u.target, c.target) << c.reference;
    EXPECT_EQ(u.host, "a") << c.reference;
  }
}

TEST(Url, ReferencesToOtherHosts) {
  const Url base = parse_url("https://u:p@a:1/b");
  EXPECT_EQ(resolve(base, "//g/x").to_string(), "https://g/x");
  EXPECT_EQ(resolve(base, "http://g:2/x?y").to_string(), "http://g:2/x?y");
  EXPECT_EQ(resolve(base, "//g/x").user_info, "");
  EXPECT_EQ(resolve(base, "/x").user_info, "u:p");
  EXPECT_THROW((void)resolve(base, "mailto:x@y"), weir::http::error);
  EXPECT_THROW((void)resolve(base, "//"), weir::http::error);
  EXPECT_THROW((void)resolve(base, "/a b"), weir::http::error);
}

TEST(Url, ReferencesOfAUnixSocketStayThere) {
  const Url base = parse_url("unix:/run/x.sock:/a/b");
  EXPECT_EQ(resolve(base, "c").to_string(), "unix:/run/x.sock:/a/c");
  EXPECT_EQ(resolve(base, "/c?d").to_string(), "unix:/run/x.sock:/c?d");
  EXPECT_THROW((void)resolve(base, "//other/x"), weir::http::error);
}

}  // namespace
