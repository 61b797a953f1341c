#include "weighed_stacks.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "encode.h"

namespace weir::profiler {

namespace {

// Tags that are told apart. A program may give each goroutine labels of its own; what is beyond
// this shares one tag.
constexpr size_t kMaxTags = 1000;

const Frame& stack_unavailable() {
  static const Frame frame{std::string(encode::kStackUnavailable), "", 0, 0, false};
  return frame;
}

bool matches(const Pattern& p, const Frame& f) {
  return p.matches(f.function) || p.matches(f.file);
}

// Any frame, or the object as a whole.
bool matches(const Pattern& p, const WeighedStacks::Place& place) {
  return std::any_of(place.frames.begin(), place.frames.end(),
                     [&p](const Frame* f) { return matches(p, *f); }) ||
         (!place.object.empty() && p.matches(place.object));
}

}  // namespace

uint32_t WeighedStacks::tag_of(const Group& g) {
  std::string text(g.wait_reason.empty() ? encode::state_name(g.state)
                                         : std::string_view(g.wait_reason));
  for (const auto& [key, value] : g.labels)
    text.append("\n").append(key).append(": ").append(value);
  const auto id = static_cast<uint32_t>(tags_.size());
  if (const auto known = tag_ids_.find(text); known != tag_ids_.end()) return known->second;
  if (tags_.size() >= kMaxTags) text = "(others)";
  const auto [tag, is_new] = tag_ids_.try_emplace(std::move(text), id);
  if (is_new) tags_.push_back(tag->first);
  return tag->second;
}

void WeighedStacks::add(const Snapshot& s, int sign, bool tags) {
  constexpr size_t kUnknown = SIZE_MAX;
  std::vector<std::pair<size_t, size_t>> ranges(s.stacks.size() + 1, {kUnknown, 0});
  std::map<std::tuple<const Location*, uint32_t, uint32_t>, uint32_t> known;
  std::vector<encode::Shown> shown;

  const auto place_of = [&](const encode::Shown& x) {
    const auto [found, is_new] =
        known.try_emplace({x.location, x.first, x.end}, static_cast<uint32_t>(places_.size()));
    if (is_new) {
      Place& place = places_.emplace_back();
      place.address = x.location->address;
      const uint32_t mapping = x.location->mapping;
      if (mapping > 0 && mapping <= s.mappings.size()) place.object = s.mappings[mapping - 1].file;
      for (uint32_t i = x.first; i < x.end; ++i) {
        const uint32_t frame = x.location->frames[i];
        if (frame < s.frames.size() && !s.frames[frame].function.empty()) {
          place.frames.push_back(&s.frames[frame]);
        }
      }
    }
    return found->second;
  };

  for (const Group& g : s.groups) {
    if (g.count == 0) continue;
    auto& [first, end] = ranges[std::min<size_t>(g.stack, s.stacks.size())];
    if (first == kUnknown) {
      encode::shown_frames(s, encode::stack_of(s, g), shown);
      first = stacks_.size();
      for (const encode::Shown& x : shown) stacks_.push_back(place_of(x));
      if (shown.empty()) {
        stacks_.push_back(static_cast<uint32_t>(places_.size()));
        places_.push_back({{&stack_unavailable()}, 0, {}, false});
      }
      end = stacks_.size();
    }
    // No sum over samples is more than an int64_t has room for, whatever a dump says.
    const auto count = static_cast<int64_t>(std::min(g.count, room_));
    room_ -= static_cast<uint64_t>(count);
    samples_.push_back({first, end, sign * count, tags ? tag_of(g) : 0});
  }
}

std::vector<std::string> WeighedStacks::filter(const CallGraphOptions& options) {
  const Pattern focus("focus", options.focus), ignore("ignore", options.ignore),
      hide("hide", options.hide), show("show", options.show);

  enum class Mark : uint8_t { none, focused, ignored };
  std::vector<Mark> marks(places_.size(), Mark::none);
  for (size_t i = 0; i < places_.size(); ++i) {
    Place& place = places_[i];
    if (ignore && matches(ignore, place)) {
      marks[i] = Mark::ignored;
    } else if (!focus || matches(focus, place)) {
      marks[i] = Mark::focused;
    }
    // As pprof does it: an object that matches stands for all of its frames; a place without frames
    // stays unless its object matches (hide) or when only what matches is shown.
    const bool has_frames = !place.frames.empty();
    if (hide && !place.object.empty() && hide.matches(place.object)) {
      place.frames.clear();
      place.hidden = true;
    } else if (hide) {
      std::erase_if(place.frames, [&](const Frame* f) { return matches(hide, *f); });
      place.hidden = has_frames && place.frames.empty();
    }
    if (show) {
      if (place.object.empty() || !show.matches(place.object)) {
        std::erase_if(place.frames, [&](const Frame* f) { return !matches(show, *f); });
      }
      place.hidden |= place.frames.empty();
    }
  }

  std::erase_if(samples_, [&](const Sample& sample) {
    bool is_focused = false, is_visible = false;
    for (size_t i = sample.first; i < sample.end; ++i) {
      const uint32_t place = stacks_[i];
      if (marks[place] == Mark::ignored) return true;
      is_focused |= marks[place] == Mark::focused;
      is_visible |= !places_[place].hidden;
    }
    return !is_focused || !is_visible;
  });

  std::vector<std::string> filters;
  for (const auto& [name, text] : {std::pair("focus=", &options.focus),
                                   {"ignore=", &options.ignore},
                                   {"hide=", &options.hide},
                                   {"show=", &options.show}}) {
    if (!text->empty()) filters.push_back(name + *text);
  }
  return filters;
}

}  // namespace weir::profiler
