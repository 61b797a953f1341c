// Kept snapshots (snapshot_store.h).
#include "snapshot_store.h"

#include <algorithm>
#include <utility>

namespace weir::http::observe {

namespace {

// Of memory, about: what grows with goroutines, and the tables of names.
size_t size_of(const profiler::Snapshot& s) {
  size_t bytes = sizeof s + s.objects.size() * sizeof(profiler::Object) +
                 s.groups.size() * sizeof(profiler::Group) +
                 s.locations.size() * (sizeof(profiler::Location) + 8) +
                 s.contexts.size() * sizeof(profiler::ContextGroup);
  for (const auto& g : s.groups) bytes += g.members.size() * sizeof(profiler::Member);
  for (const auto& f : s.frames) bytes += sizeof f + f.function.size() + f.file.size();
  for (const auto& stack : s.stacks) bytes += sizeof stack + stack.locations.size() * 4;
  for (const auto& text : s.strings) bytes += sizeof text + text.size();
  return bytes;
}

void strip(profiler::Snapshot& s) {
  for (auto& g : s.groups) g.members = {};
  s.objects = {};
}

}  // namespace

uint64_t SnapshotStore::add(profiler::Snapshot s, int64_t at_ns, bool asked) {
  Kept k{++last_id_, asked, false, size_of(s), at_ns, nullptr};
  if (k.bytes > kMaxEach) {
    strip(s);
    k.stripped = true;
    k.bytes = size_of(s);
  }
  k.snapshot = std::make_shared<const profiler::Snapshot>(std::move(s));
  bytes_ += k.bytes;
  kept_.push_back(std::move(k));
  thin_out(at_ns);
  bound();
  return last_id_;
}

std::optional<Kept> SnapshotStore::find(uint64_t id) const {
  const auto at =
      std::find_if(kept_.begin(), kept_.end(), [id](const Kept& k) { return k.id == id; });
  if (at == kept_.end()) return std::nullopt;
  return *at;
}

// One goes when the two beside it are no further apart than an eighth of their age: so about eight
// stay for each doubling of the age, and the first of all stays.
void SnapshotStore::thin_out(int64_t now_ns) {
  constexpr int64_t kShare = 8;
  for (size_t i = 1; i + 1 < kept_.size();) {
    const int64_t gap = kept_[i + 1].at_ns - kept_[i - 1].at_ns;
    if (!kept_[i].asked && gap * kShare <= now_ns - kept_[i + 1].at_ns) {
      drop(i);
    } else {
      ++i;
    }
  }
}

// The newest stays. What was asked for outlives what was not.
void SnapshotStore::bound() {
  const auto is_asked = [](const Kept& k) { return k.asked; };
  while (std::count_if(kept_.begin(), kept_.end(), is_asked) > static_cast<long>(kMaxAsked)) {
    drop(static_cast<size_t>(std::find_if(kept_.begin(), kept_.end(), is_asked) - kept_.begin()));
  }
  while (bytes_ > kMaxBytes && kept_.size() > 1) {
    const auto other = std::find_if_not(kept_.begin(), kept_.end() - 1, is_asked);
    drop(other == kept_.end() - 1 ? 0 : static_cast<size_t>(other - kept_.begin()));
  }
}

void SnapshotStore::drop(size_t i) {
  bytes_ -= kept_[i].bytes;
  kept_.erase(kept_.begin() + static_cast<long>(i));
}

}  // namespace weir::http::observe
