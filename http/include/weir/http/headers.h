// The header fields of a message. Go: http.Header.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::http {

// Fields in the order in which they were added; names are compared without regard to case. Not to
// be changed while another goroutine uses it. Nothing here blocks.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  // The first field of that name; "" where there is none. Go: Get.
  std::string_view get(std::string_view name) const noexcept;
  bool has(std::string_view name) const noexcept;
  // All fields of that name. Go: Values.
  std::vector<std::string_view> values(std::string_view name) const;

  // One field in place of all of that name. Go: Set.
  void set(std::string_view name, std::string_view value);
  // One more. Go: Add.
  void add(std::string_view name, std::string_view value);
  // All of that name. Go: Del.
  void remove(std::string_view name) noexcept;

  auto begin() const noexcept { return fields_.begin(); }
  auto end() const noexcept { return fields_.end(); }
  size_t size() const noexcept { return fields_.size(); }
  bool empty() const noexcept { return fields_.empty(); }

 private:
  std::vector<Field> fields_;
};

}  // namespace weir::http
