// Exposition: writes Prometheus' text format, version 0.0.4. Knows the format, not what is told.
//
//   Exposition e;
//   e.family("weir_goroutines", Exposition::gauge, "Goroutines by state.");
//   e.sample(3, {{"state", "running"}});
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace weir::http {

class Exposition {
 public:
  enum Type : uint8_t { counter, gauge, histogram, summary };
  struct Label {
    std::string_view name;   // fit for the format
    std::string_view value;  // anything; what is not UTF-8 stays so
  };

  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

  // What the samples that follow belong to. The name is fit for the format; `help` is anything.
  void family(std::string_view name, Type type, std::string_view help);

  void sample(std::integral auto value, std::initializer_list<Label> labels = {},
              std::string_view suffix = {}) {
    begin(labels, suffix);
    text_.append(std::to_string(value)).push_back('\n');
  }
  void sample(double value, std::initializer_list<Label> labels = {}, std::string_view suffix = {});

  // A family of one sample.
  void single(std::string_view name, Type type, std::string_view help, auto value) {
    family(name, type, help);
    sample(value);
  }

  std::string take() { return std::move(text_); }

 private:
  void begin(std::initializer_list<Label> labels, std::string_view suffix);

  std::string text_, name_;
};

// A number as the format has it: the shortest text that reads as the same.
std::string exposed(double value);

}  // namespace weir::http
