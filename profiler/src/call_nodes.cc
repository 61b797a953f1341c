#include "call_nodes.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace weir::profiler {

namespace {

std::string printable(const CallNodes::Identity& id) {
  std::string text;
  if (id.address != 0) {
    char hex[24];
    std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(id.address));
    text = hex;
  }
  const auto append = [&text](const std::string& s) {
    if (!text.empty()) text.push_back(' ');
    text.append(s);
  };
  if (!id.function.empty()) append(id.function);
  if (id.line != 0) {
    append(id.file + ":" + std::to_string(id.line));
  } else if (!id.file.empty()) {
    append(id.file);
  } else if (id.function.empty()) {
    append(id.object.empty() ? "<unknown>"
                             : "[" + id.object.substr(id.object.rfind('/') + 1) + "]");
  }
  return text;
}

}  // namespace

CallNodes::CallNodes(const WeighedStacks& stacks, Granularity granularity)
    : granularity_(granularity) {
  of_place_.reserve(stacks.places().size());
  for (const WeighedStacks::Place& place : stacks.places()) {
    std::vector<uint32_t>& nodes = of_place_.emplace_back();
    for (const Frame* f : place.frames) nodes.push_back(node_of(*f, place.address));
    if (place.frames.empty()) nodes.push_back(node_of(place));
  }
}

uint32_t CallNodes::node_of(const Frame& f, uint64_t address) {
  const uint64_t at = granularity_ == Granularity::addresses ? address : 0;
  const auto [known, is_new] = of_frame_.try_emplace({&f, at}, 0);
  if (!is_new) return known->second;
  Identity id;
  id.function = f.function;
  if (granularity_ != Granularity::functions) {
    if (!f.file.empty()) id.file = std::filesystem::path(f.file).lexically_normal().string();
    id.line = std::max(f.line, 0);
  }
  id.address = at;
  return known->second = intern(std::move(id));
}

uint32_t CallNodes::node_of(const WeighedStacks::Place& place) {
  Identity id;
  id.object = place.object;
  if (granularity_ == Granularity::addresses) id.address = place.address;
  return intern(std::move(id));
}

uint32_t CallNodes::intern(Identity id) {
  const auto [known, is_new] =
      ids_.try_emplace(std::move(id), static_cast<uint32_t>(identities_.size()));
  if (is_new) {
    identities_.push_back(&known->first);
    names_.push_back(printable(known->first));
  }
  return known->second;
}

}  // namespace weir::profiler
