#include <weir/http/headers.h>

#include <algorithm>

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
  // They may be parts of a field that goes.
  Field kept{name, value};
  const auto named = [&kept](const Field& f) { return same_word(f.first, kept.first); };
  const auto first = std::find_if(fields_.begin(), fields_.end(), named);
  if (first == fields_.end()) {
    fields_.push_back(std::move(kept));
    return;
  }
  fields_.erase(std::remove_if(first + 1, fields_.end(), named), fields_.end());
  first->second = std::move(kept.second);
}

void Headers::add(std::string_view name, std::string_view value) {
  fields_.emplace_back(name, value);
}

void Headers::remove(std::string_view name) noexcept {
  std::erase_if(fields_, [name](const Field& f) { return same_word(f.first, name); });
}

}  // namespace weir::http
