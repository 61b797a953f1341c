#include "parse_tables.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

#include "go_frames.h"

namespace weir::profiler::parsing {

namespace {

constexpr size_t kGranted = size_t{16} * 1024 * 1024;  // bytes
constexpr size_t kOverhead = 64;  // bytes of a row beside itself: index, allocation, spare room
constexpr size_t kTellingFrames = 16;

size_t mix(size_t h, uint64_t n) {
  h = (h ^ n) * 0x9fb21c651e98df25U;
  return h ^ h >> 29;
}
size_t mix(size_t h, std::string_view s) { return mix(h, std::hash<std::string_view>{}(s)); }

size_t hash_of(const Frame& f) {
  return mix(mix(mix(mix(1, f.function), f.file), static_cast<uint64_t>(f.line)), f.offset);
}
size_t hash_of(const Location& l) {
  size_t h = mix(l.mapping, l.address);
  for (const uint32_t f : l.frames) h = mix(h, f);
  return h;
}
size_t hash_of(const Stack& s) {
  size_t h = s.truncated;
  for (const uint32_t l : s.locations) h = mix(h, l);
  return h;
}
size_t hash_of(const std::string& s) { return mix(1, s); }
size_t hash_of(const Group& g) {
  size_t h = mix(mix(g.stack, g.created_by), static_cast<uint64_t>(g.state));
  h = mix(mix(h, g.wait_reason), g.object_kind);
  h = mix(h, uint64_t{g.thread} | uint64_t{g.locked} << 1 | uint64_t{g.leaked} << 2);
  for (const auto& [key, value] : g.labels) h = mix(mix(h, key), value);
  return h;
}

template <class T>
bool is_alike(const T& a, const T& b) {
  return a == b;
}
bool is_alike(const Group& a, const Group& b) {
  const auto key = [](const Group& g) {
    return std::tie(g.stack, g.state, g.wait_reason, g.object_kind, g.created_by, g.thread,
                    g.locked, g.leaked, g.labels);
  };
  return key(a) == key(b);
}

}  // namespace

Budget::Budget(size_t input_bytes, const ParseOptions& options)
    : options_(options), goroutines_(options.max_goroutines) {
  const size_t most = std::numeric_limits<size_t>::max();
  const size_t factor = std::max<size_t>(options.max_expansion, 1);
  left_ = input_bytes > (most - kGranted) / factor ? most : input_bytes * factor + kGranted;
}

void Budget::fail() const {
  throw ParseLimit("the input describes more than " + std::to_string(options_.max_expansion) +
                   " times its own size (ParseOptions::max_expansion)");
}

void Budget::fail_goroutines() const {
  throw ParseLimit("the input has more than " + std::to_string(options_.max_goroutines) +
                   " goroutines (ParseOptions::max_goroutines)");
}

template <class T>
size_t Tables::ByRow<T>::operator()(uint32_t i) const {
  return hash_of((*table)[i]);
}
template <class T>
bool Tables::ByRow<T>::operator()(uint32_t a, uint32_t b) const {
  return is_alike((*table)[a], (*table)[b]);
}

template <class T>
uint32_t Tables::intern(std::vector<T>& table, Index<T>& index, T row, size_t bytes) {
  table.push_back(std::move(row));
  const auto [at, is_new] = index.insert(static_cast<uint32_t>(table.size() - 1));
  if (is_new) {
    budget.charge(sizeof(T) + kOverhead + bytes);
  } else {
    table.pop_back();
  }
  return *at;
}

Tables::Tables(std::string_view format, size_t input_bytes, const ParseOptions& options)
    : budget(input_bytes, options),
      max_depth_(options.max_depth),
      frames_(0, ByRow<Frame>{&snapshot.frames}, ByRow<Frame>{&snapshot.frames}),
      locations_(0, ByRow<Location>{&snapshot.locations}, ByRow<Location>{&snapshot.locations}),
      stacks_(0, ByRow<Stack>{&snapshot.stacks}, ByRow<Stack>{&snapshot.stacks}),
      texts_(0, ByRow<std::string>{&snapshot.strings}, ByRow<std::string>{&snapshot.strings}),
      groups_(0, ByRow<Group>{&snapshot.groups}, ByRow<Group>{&snapshot.groups}) {
  snapshot.source = format;
  texts_.insert(0);
}

uint32_t Tables::frame(std::string_view function, std::string_view file, int line,
                       uint64_t offset) {
  Frame f{std::string(function), std::string(file), line, offset, go_frames::is_runtime(function)};
  return intern(snapshot.frames, frames_, std::move(f), function.size() + file.size());
}

uint32_t Tables::location(uint64_t address, std::vector<uint32_t> frames) {
  const size_t bytes = frames.size() * sizeof(uint32_t);
  return intern(snapshot.locations, locations_, Location{address, 0, std::move(frames)}, bytes);
}

uint32_t Tables::stack(std::vector<uint32_t> locations, bool truncated) {
  if (locations.size() > max_depth_) {
    throw ParseLimit("a stack has more than " + std::to_string(max_depth_) +
                     " frames (ParseOptions::max_depth)");
  }
  const size_t bytes = locations.size() * sizeof(uint32_t);
  return intern(snapshot.stacks, stacks_, Stack{std::move(locations), truncated}, bytes);
}

uint32_t Tables::text(std::string_view s) {
  return intern(snapshot.strings, texts_, std::string(s), s.size());
}

uint32_t Tables::group(const Group& like) {
  size_t bytes = like.wait_reason.size();
  for (const auto& label : like.labels) {
    bytes += sizeof label + label.first.size() + label.second.size();
  }
  return intern(snapshot.groups, groups_, Group(like), bytes);
}

void Tables::add(uint32_t group, const Member& m) {
  budget.goroutine();
  snapshot.groups[group].members.push_back(m);
  snapshot.groups[group].count++;
}

std::vector<std::string_view> Tables::functions(uint32_t stack) const {
  std::vector<std::string_view> all;
  for (const uint32_t l : snapshot.stacks[stack].locations) {
    for (const uint32_t f : snapshot.locations[l].frames) {
      if (all.size() == kTellingFrames) return all;
      all.push_back(snapshot.frames[f].function);
    }
  }
  return all;
}

Snapshot Tables::finish() {
  groups_.clear();  // its rows change now
  Snapshot& s = snapshot;
  s.total = 0;
  std::erase_if(s.groups, [](const Group& g) { return g.count == 0; });
  for (Group& g : s.groups) {
    if (!g.thread) s.total = s.total > UINT64_MAX - g.count ? UINT64_MAX : s.total + g.count;
    if (g.object_kind.empty() && g.state == State::waiting) {
      g.object_kind = go_frames::object_kind(g.wait_reason, functions(g.stack));
    }
    std::stable_sort(g.members.begin(), g.members.end(),
                     [](const Member& a, const Member& b) { return a.goid < b.goid; });
    int64_t sum = g.members.empty() ? -1 : 0;
    for (const Member& m : g.members) {
      g.oldest_ns = std::max(g.oldest_ns, m.since_ns);
      const bool is_known = sum >= 0 && m.since_ns >= 0 && sum <= INT64_MAX - m.since_ns;
      sum = is_known ? sum + m.since_ns : -1;
    }
    if (g.wait_ns < 0) g.wait_ns = sum;
  }
  std::stable_sort(s.groups.begin(), s.groups.end(),
                   [](const Group& a, const Group& b) { return a.count > b.count; });
  return std::move(snapshot);
}

}  // namespace weir::profiler::parsing
