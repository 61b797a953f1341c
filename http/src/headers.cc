#include <weir/http/headers.h>

#include "text.h"

namespace weir::http {

std::string_view Headers::get(std::string_view name) const noexcept {
  for (const Field& f : fields_) {
    if (same_word(f.first, name)) return f.second;
  }
  return {};
}

bool Headers::has(std::string_view name) const noexcept {
  for (const Field& f : fields_) {
    if (same_word(f.first, name)) return true;
  }
  return false;
}

std::vector<std::string_view> Headers::values(std::string_view name) const {
  std::vector<std::string_view> all;
  for (const Field& f : fields_) {
    if (same_word(f.first, name)) all.push_back(f.second);
  }
  return all;
}

void Headers::set(std::string_view name, std::string_view value) {
  for (Field& f : fields_) {
    if (!same_word(f.first, name)) continue;
    std::string kept(value);  // it may be a part of a field that goes
    std::string first = std::move(f.first);
    remove(name);
    fields_.emplace_back(std::move(first), std::move(kept));
    return;
  }
  add(name, value);
}

void Headers::add(std::string_view name, std::string_view value) {
  fields_.emplace_back(name, value);
}

void Headers::remove(std::string_view name) noexcept {
  std::erase_if(fields_, [name](const Field& f) { return same_word(f.first, name); });
}

}  // namespace weir::http
