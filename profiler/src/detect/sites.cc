// Sites (sites.h).
#include <weir/profiler/sites.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "encode.h"
#include "fnv.h"
#include "frames.h"

namespace weir::profiler {

namespace {

// Where goroutines block on the user's behalf: what Go's users do not mean by "where it is stuck".
bool is_go_between(const Frame& f) {
  static constexpr std::array<std::string_view, 11> kPrefixes = {"sync.",
                                                                 "internal/",
                                                                 "time.Sleep",
                                                                 "syscall.",
                                                                 "net.(*netFD",
                                                                 "net.(*conn).",
                                                                 "os/signal.sig",
                                                                 "golang.org/x/sync/semaphore.",
                                                                 "weir::http::",
                                                                 "httplib::",
                                                                 "0x"};
  return f.runtime || foreignness(f) > 0 ||
         std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&f](std::string_view p) { return f.function.starts_with(p); });
}

// The frame of blocked_at; null: no stack, or no name. `shown` is scratch.
const Frame* blocked_frame(const Snapshot& s, const Group& g, std::vector<encode::Shown>& shown) {
  encode::shown_frames(s, encode::stack_of(s, g), shown);
  const Frame* innermost = nullptr;
  for (const encode::Shown& x : shown) {
    for (uint32_t i = x.first; i < x.end; ++i) {
      const uint32_t f = x.location->frames[i];
      if (f >= s.frames.size() || s.frames[f].function.empty()) continue;
      if (!is_go_between(s.frames[f])) return &s.frames[f];
      if (!innermost) innermost = &s.frames[f];
    }
  }
  return innermost;
}

}  // namespace

Frame blocked_at(const Snapshot& s, const Group& g) {
  std::vector<encode::Shown> shown;
  const Frame* f = blocked_frame(s, g, shown);
  return f ? *f : Frame{};
}

SiteNames names_of(const Snapshot& s, const Site& site) {
  const Group& g = s.groups[site.groups.front()];
  const Frame* creator = encode::creator_frame(s, g.created_by);
  return {std::string(encode::status_text(g)), creator ? *creator : Frame{}, blocked_at(s, g)};
}

Sites::Sites(const Snapshot& s) {
  std::vector<encode::Shown> shown;
  by_group_.reserve(s.groups.size());
  for (uint32_t i = 0; i < s.groups.size(); ++i) {
    const Group& g = s.groups[i];
    const Frame* const frame = blocked_frame(s, g, shown);
    const bool runs = g.state == State::running || g.state == State::runnable;
    Fnv hash;
    hash.add(runs ? nullptr : frame);
    hash.add(encode::creator_frame(s, g.created_by));
    hash.add(encode::status_text(g));
    hash.add(g.object_kind);
    hash.add(uint64_t{g.thread});
    const auto [at, is_new] =
        by_id_.try_emplace(hash.value(), static_cast<uint32_t>(sites_.size()));
    if (is_new) sites_.emplace_back().id = hash.value();
    Site& site = sites_[at->second];
    site.count = encode::saturating_add(site.count, g.count);
    // The first one stands for all: of those that run one whose stack could be had.
    site.groups.insert(runs && frame ? site.groups.begin() : site.groups.end(), i);
    by_group_.push_back(at->second);
  }
  std::vector<uint32_t> order(sites_.size()), place(sites_.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [this](uint32_t l, uint32_t r) {
    const Site &a = sites_[l], &b = sites_[r];
    return a.count != b.count ? a.count > b.count : a.id < b.id;
  });
  std::vector<Site> sorted;
  sorted.reserve(sites_.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
    by_id_[sites_[order[i]].id] = i;
    sorted.push_back(std::move(sites_[order[i]]));
  }
  sites_ = std::move(sorted);
  for (uint32_t& site : by_group_) site = place[site];
}

const Site* Sites::find(uint64_t id) const {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : &sites_[at->second];
}

}  // namespace weir::profiler
