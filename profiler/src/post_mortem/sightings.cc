#include "sightings.h"

#include <algorithm>
#include <cstring>

#include "objects.h"

namespace weir::profiler::post_mortem {

namespace {

using introspect::ObjectKind;
using introspect::WaitReason;

constexpr size_t kBlock = 4 << 20;
constexpr size_t kMaxRecord = 64 << 10;  // of what a program says is the size of something
constexpr size_t kMaxCases = 1024;       // of a select
constexpr size_t kMaxLabels = 32, kLabelsAtOnce = 1024, kMaxLabelBytes = 32 << 10;
constexpr uint64_t kMaxStack = uint64_t{1} << 32;
constexpr uint64_t kMaxOverrun = 1 << 20;  // bytes below a stack that is too small
#if defined(__x86_64__)
constexpr uint64_t kRedZone = 128;  // below the stack pointer of an interrupted thread
#else
constexpr uint64_t kRedZone = 0;
#endif

}  // namespace

std::span<std::byte> Arena::take(size_t bytes) {
  bytes = (bytes + 15) & ~size_t{15};
  while (block_ < blocks_.size() && blocks_[block_].size - at_ < bytes) {
    ++block_;
    at_ = 0;
  }
  if (block_ == blocks_.size()) {
    const size_t size = std::max(bytes, kBlock);
    blocks_.push_back({std::make_unique_for_overwrite<std::byte[]>(size), size});
    at_ = 0;
  }
  std::byte* taken = blocks_[block_].bytes.get() + at_;
  at_ += bytes;
  used_ += bytes;
  return {taken, bytes};
}

void Arena::reset() {
  block_ = at_ = used_ = 0;
  std::erase_if(blocks_, [](const Block& b) { return b.size > kBlock; });
}

void Sightings::want(uint64_t at, size_t bytes, Record& into) {
  bytes = std::max<size_t>(bytes, 1);
  wanted_.push_back({{at, arena_.take(bytes).data(), bytes}, &into});
}

void Sightings::fetch() {
  reads_.clear();
  for (const Wanted& w : wanted_) reads_.push_back(w.read);
  memory_.read(reads_);
  for (size_t i = 0; i < wanted_.size(); ++i) {
    *wanted_[i].into = Record(std::span<const std::byte>(reads_[i].to, reads_[i].got));
  }
  wanted_.clear();
}

uint64_t Sightings::status(const Sighting& s) const {
  const uint64_t status = s.g.get<uint32_t>(o_.g.status) & ~o_.status.scan;
  return status == o_.status.copystack ? o_.status.waiting : status;  // and will be again
}

bool Sightings::waits(const Sighting& s) const { return status(s) == o_.status.waiting; }

WaitReason Sightings::reason(const Sighting& s) const {
  return static_cast<WaitReason>(o_.l.ours("WaitReason", s.g.get<uint8_t>(o_.g.waitreason)));
}

// What is in the slot, by its record.
void Sightings::judge(Sighting& s, const std::vector<Thread>* still) {
  if (s.g.bytes().size() < std::min(o_.g.size, kMaxRecord)) {
    s.kind = Sighting::kUnknown;
    return;
  }
  const uint64_t state = status(s);
  s.goid = s.g.word(o_.g.goid);
  s.since = s.g.word(o_.g.since);
  if (state == o_.status.idle || state == o_.status.dead || s.goid == 0) return;
  const bool thread = s.g.flag(o_.g.is_thread), runs = state == o_.status.running;
  if (thread && !waits(s)) {
    s.kind = Sighting::kBystander;
  } else if ((thread || runs) && !still) {
    s.kind = Sighting::kRestless;
  } else {
    s.kind = Sighting::kSeen;
  }
}

void Sightings::from_saved(Sighting& s) {
  // What is saved there is on the stack, and read together with it.
  s.stack_at = s.g.word(o_.g.sp);
  s.regs.sp = 0;
  s.has_stack = true;
}

// Of one that runs, or of a thread: what its thread's registers say.
void Sightings::place_running(Sighting& s, const std::vector<Thread>& still) {
  if (sorted_ != &still) {
    by_sp_ = still;
    std::sort(by_sp_.begin(), by_sp_.end(),
              [](const Thread& a, const Thread& b) { return a.regs.sp < b.regs.sp; });
    sorted_ = &still;
  }
  s.exact = true;
  const uint64_t lo = s.g.word(o_.g.stack_lo), hi = s.g.word(o_.g.stack_hi);
  std::vector<std::byte> bytes(std::min(o_.m.size, kMaxRecord));
  const uint64_t m_at = s.g.word(o_.g.m);
  const bool thread = s.g.flag(o_.g.is_thread);
  const bool has_m = !thread && m_at != 0 && memory_.read(m_at, bytes.data(), bytes.size());
  const Record m(bytes);
  if (has_m && m.word(o_.m.crash_context) != 0) {
    const uint64_t context = m.word(o_.m.crash_context);
    const auto pc = memory_.get<uint64_t>(context + o_.saved.context_pc);
    const auto sp = memory_.get<uint64_t>(context + o_.saved.context_sp);
    const auto fp = memory_.get<uint64_t>(context + o_.saved.context_fp);
    if (pc && sp && fp) {
      s.regs = {*pc, *sp, *fp};
      s.has_stack = true;
      return;
    }
  }
  const auto own = std::lower_bound(by_sp_.begin(), by_sp_.end(), lo,
                                    [](const Thread& t, uint64_t sp) { return t.regs.sp < sp; });
  if (own != by_sp_.end() && own->regs.sp < hi) {
    s.regs = own->regs;
    s.has_stack = true;
    return;
  }
  if (!has_m) return;
  const auto tid = m.get<int32_t>(o_.m.tid);
  const auto its =
      std::find_if(by_sp_.begin(), by_sp_.end(), [tid](const Thread& t) { return t.tid == tid; });
  if (its == by_sp_.end()) return;
  const uint64_t sp = its->regs.sp;
  bool switching = sp >= m.word(o_.m.g0 + o_.g.stack_lo) && sp < m.word(o_.m.g0 + o_.g.stack_hi);
  if (const uint64_t other = slots_.g_by_stack(sp); other != 0 && other != s.at) {
    switching = memory_.get<uint64_t>(other + o_.g.m) == m_at &&
                (memory_.get<uint32_t>(other + o_.g.status).value_or(0) & ~o_.status.scan) ==
                    o_.status.running;
  }
  if (switching) {
    // Its thread is on the scheduler's stack still, or on that of the goroutine that it comes from
    // or goes to, and what is saved is right. On a signal stack it is not.
    s.exact = false;
    from_saved(s);
  } else if (sp < lo && lo - sp <= kMaxOverrun) {
    // It ran over its stack: into the guard page, or beyond.
    s.regs = its->regs;
    s.has_stack = true;
  }
}

// Where it stands: registers, or where they are saved.
void Sightings::place(Sighting& s, const std::vector<Thread>* still) {
  const uint64_t state = status(s);
  if (state == o_.status.running || s.g.flag(o_.g.is_thread)) {
    place_running(s, *still);
  } else if (state == o_.status.syscall) {
    s.regs = {s.g.word(o_.g.syscall_pc), s.g.word(o_.g.syscall_sp), s.g.word(o_.g.syscall_fp)};
    s.has_stack = true;
  } else {
    from_saved(s);
  }
}

void Sightings::want_stack(Sighting& s, size_t max_stack) {
  if (!s.has_stack) return;
  const uint64_t lo = s.g.word(o_.g.stack_lo), hi = s.g.word(o_.g.stack_hi);
  if (s.regs.sp != 0) {
    s.stack_at = s.regs.sp;
    if (s.exact) s.stack_at -= std::min(s.stack_at, kRedZone);
    s.stack_at = std::max(s.stack_at, lo);
  }
  s.stack_at &= ~uint64_t{7};
  if (s.stack_at >= hi || hi - s.stack_at > kMaxStack) return;  // not on this stack
  s.stack_wanted = hi - s.stack_at;
  want(s.stack_at, std::min(s.stack_wanted, max_stack), s.stack);
}

// The first step towards what it waits for.
void Sightings::want_object(Sighting& s) {
  if (!waits(s)) return;
  const uint64_t at = s.g.word(o_.g.waitobj), body = s.g.word(o_.g.waits_for);
  if (at == 0) return;
  const WaitReason why = reason(s);
  const ObjectKind kind = object_kind(why, body != 0);
  if (kind == ObjectKind::http_body) {
    want(body, std::min(object_size(o_.l, kind), kMaxRecord), s.body);
  } else if (why == WaitReason::select) {
    const size_t cases = std::min<size_t>(s.g.get<uint32_t>(o_.g.waitobj_count), kMaxCases);
    want(at, std::min(cases * o_.chan.case_size, kMaxRecord), s.object);
  } else if (kind == ObjectKind::chan) {
    s.chans.push_back({at, why == WaitReason::chan_send, {}, 0});
    s.chans_total = 1;
  } else if (kind != ObjectKind::none) {
    want(at, std::min(object_size(o_.l, kind), kMaxRecord), s.object);
  }
}

// The second step: the channels of its cases.
void Sightings::want_chans(Sighting& s) {
  if (waits(s) && reason(s) == WaitReason::select && s.g.word(o_.g.waits_for) == 0) {
    const size_t size = std::max<size_t>(o_.chan.case_size, 1);
    for (size_t at = 0; at + size <= s.object.bytes().size(); at += size) {
      const uint64_t c = s.object.word(at + o_.chan.case_c);
      if (c == 0) continue;
      s.chans_total++;
      if (s.chans.size() == introspect::kMaxObjects) continue;
      s.chans.push_back({c, s.object.flag(at + o_.chan.case_send), {}, 0});
    }
  }
  for (Sighting::Chan& c : s.chans) want(c.at, std::min(o_.chan.size, kMaxRecord), c.record);
}

// Counted by the goroutine, which stands still: a copy.
void Sightings::read_labels(Sighting& s) {
  const uint64_t at = s.g.word(o_.g.labels);
  if (at == 0) return;
  s.labels.resize(kLabelsAtOnce);
  Read read{at, s.labels.data(), s.labels.size()};
  memory_.read({&read, 1});
  s.labels.resize(read.got);
  // How much it is, in truth: to the end of the last text.
  const Record set(s.labels);
  const size_t count = std::min<uint64_t>(set.word(o_.labels.count), kMaxLabels);
  uint64_t end = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t entry = o_.labels.size + i * o_.labels.entry_size;
    end = std::max(end, uint64_t{set.get<uint32_t>(entry + o_.labels.at)} +
                            set.get<uint16_t>(entry + o_.labels.key_bytes) +
                            set.get<uint16_t>(entry + o_.labels.value_bytes));
  }
  if (end <= s.labels.size() || end > kMaxLabelBytes) return;
  s.labels.resize(end);
  read = {at, s.labels.data(), s.labels.size()};
  memory_.read({&read, 1});
  s.labels.resize(read.got);
}

// Did it stand still while it was read?
void Sightings::confirm(Sighting& s) {
  if (s.kind != Sighting::kSeen) return;
  const auto same = [](const Record& a, const Record& b) {
    return a.bytes().size() == b.bytes().size() &&
           std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0;
  };
  const auto masked = [&](const Record& r) {
    const uint64_t status = r.get<uint32_t>(o_.g.status) & ~o_.status.scan;
    return status == o_.status.copystack ? o_.status.waiting : status;
  };
  const auto rest = [&](const Record& r) {
    return Record(r.bytes().subspan(std::min(o_.g.status + 4, r.bytes().size())));
  };
  if (masked(s.g) != masked(s.again) || !same(rest(s.g), rest(s.again)) ||
      (status(s) == o_.status.runnable && !same(s.stack, s.stack_again))) {
    s.kind = Sighting::kRestless;
  }
}

std::span<Sighting> Sightings::look(std::span<const size_t> slots, const std::vector<Thread>* still,
                                    size_t max_stack) {
  arena_.reset();
  seen_.clear();
  sorted_ = nullptr;
  const size_t g_size = std::min(o_.g.size, kMaxRecord);
  for (const size_t slot : slots) {
    if (const uint64_t at = slots_.g(slot)) {
      Sighting& s = seen_.emplace_back();
      s.slot = slot;
      s.at = at;
    }
  }
  for (Sighting& s : seen_) want(s.at, g_size, s.g);
  fetch();
  for (Sighting& s : seen_) {
    judge(s, still);
    if (s.kind != Sighting::kSeen) continue;
    place(s, still);
    want_stack(s, max_stack);
    want_object(s);
  }
  fetch();
  for (Sighting& s : seen_) {
    if (s.kind != Sighting::kSeen) continue;
    if (s.has_stack && s.regs.sp == 0) {  // from_saved
      s.regs = {s.stack.word(o_.saved.pc), s.stack_at + o_.saved.size, s.stack.word(o_.saved.fp)};
      s.never_ran = s.regs.pc == o_.saved.start_pc && s.g.word(o_.g.startpc) != 0;
    }
    want_chans(s);
    read_labels(s);
  }
  fetch();
  for (Sighting& s : seen_) {
    for (Sighting::Chan& c : s.chans) {
      const uint64_t timer = c.record.word(o_.chan.timer);
      if (timer != 0) c.timer_home = memory_.get<uint64_t>(timer + o_.chan.timer_home).value_or(0);
    }
  }
  if (still) return seen_;
  for (Sighting& s : seen_) {
    if (s.kind != Sighting::kSeen) continue;
    if (status(s) == o_.status.runnable) want(s.stack_at, s.stack.bytes().size(), s.stack_again);
    want(s.at, g_size, s.again);
  }
  fetch();
  for (Sighting& s : seen_) confirm(s);
  return seen_;
}

void Sightings::goids(std::span<const size_t> slots,
                      std::vector<std::pair<size_t, uint64_t>>& out) {
  out.clear();
  std::vector<uint64_t> values(slots.size());
  reads_.clear();
  std::vector<size_t> of;
  for (size_t i = 0; i < slots.size(); ++i) {
    if (const uint64_t at = slots_.g(slots[i])) {
      reads_.push_back({at + o_.g.goid, reinterpret_cast<std::byte*>(&values[i]), 8});
      of.push_back(i);
    }
  }
  memory_.read(reads_);
  for (const size_t i : of) out.emplace_back(slots[i], values[i]);
}

uint64_t Sightings::latest_since(std::span<const size_t> slots) {
  arena_.reset();
  seen_.clear();
  for (const size_t slot : slots) {
    if (const uint64_t at = slots_.g(slot)) seen_.emplace_back().at = at;
  }
  const size_t g_size = std::min(o_.g.size, kMaxRecord);
  for (Sighting& s : seen_) want(s.at, g_size, s.g);
  fetch();
  uint64_t latest = 0;
  static const std::vector<Thread> kNone;
  for (Sighting& s : seen_) {
    judge(s, &kNone);
    if (s.kind != Sighting::kNobody && s.kind != Sighting::kUnknown) {
      latest = std::max(latest, s.since);
    }
  }
  return latest;
}

void Sightings::describe(const Sighting& s, introspect::Goroutine& g) const {
  g = introspect::Goroutine{};
  g.goid = s.goid;
  g.parent_goid = s.g.word(o_.g.parent_goid);
  g.gopc = s.g.pointer(o_.g.gopc);
  g.start_pc = s.g.pointer(o_.g.startpc);
  g.thread = s.g.flag(o_.g.is_thread);
  g.locked = s.g.word(o_.g.locked_m) != 0;
  g.stack_lo = s.g.word(o_.g.stack_lo);
  g.stack_hi = s.g.word(o_.g.stack_hi);
  const uint64_t state = status(s);
  g.state = state == o_.status.runnable  ? introspect::State::runnable
            : state == o_.status.running ? introspect::State::running
            : state == o_.status.syscall ? introspect::State::syscall
            : state == o_.status.waiting ? introspect::State::waiting
                                         : introspect::State::idle;
  const size_t shown = s.g.flag(o_.g.shown_name) ? o_.g.name_size : 0;
  s.g.text(o_.g.names + shown, o_.g.name_size, g.name);
  if (waits(s)) describe_wait(s, g);
}

void Sightings::describe_wait(const Sighting& s, introspect::Goroutine& g) const {
  g.wait_reason = reason(s);
  g.context = s.g.pointer(o_.g.wait_context);
  const uint64_t at = s.g.word(o_.g.waitobj), body = s.g.word(o_.g.waits_for);
  if (at == 0) return;
  g.object_kind = object_kind(g.wait_reason, body != 0);
  introspect::Object& first = g.objects[0];
  if (g.object_kind == ObjectKind::chan) {
    for (const Sighting::Chan& c : s.chans) {
      introspect::Object& o = g.objects[g.object_count++];
      o.kind = ObjectKind::chan;
      o.address = reinterpret_cast<const void*>(c.at);
      o.send = c.send;
      o.made_pc = c.record.pointer(o_.chan.made_pc);
      o.closed = c.record.flag(o_.chan.closed);
      o.timer = c.record.word(o_.chan.timer) != 0;
      o.armed = o.timer && c.timer_home != 0;
      o.cap = o.timer ? 0 : c.record.word(o_.chan.dataqsiz);
      o.len = o.timer ? 0 : c.record.word(o_.chan.qcount);
      o.sends = c.record.word(o_.chan.sends);
      o.recvs = c.record.word(o_.chan.recvs);
      o.handles = c.record.get<uint32_t>(o_.chan.refs);
    }
    g.objects_total = static_cast<uint32_t>(s.chans_total);
  } else if (g.object_kind != ObjectKind::none) {
    const bool for_body = g.object_kind == ObjectKind::http_body;
    first.kind = g.object_kind;
    first.address = reinterpret_cast<const void*>(for_body ? body : at);
    first.send = g.object_kind == ObjectKind::io && s.g.get<uint32_t>(o_.g.waitobj_count) != 0;
    read_object(o_.l, g.object_kind, for_body ? s.body : s.object, first, g);
    g.object_count = g.objects_total = 1;
  }
}

std::vector<std::pair<std::string, std::string>> Sightings::labels(const Sighting& s) const {
  std::vector<std::pair<std::string, std::string>> labels;
  const Record set(s.labels);
  const size_t count = std::min<uint64_t>(set.word(o_.labels.count), kMaxLabels);
  for (size_t i = 0; i < count; ++i) {
    const size_t entry = o_.labels.size + i * o_.labels.entry_size;
    const size_t at = set.get<uint32_t>(entry + o_.labels.at);
    const size_t key = set.get<uint16_t>(entry + o_.labels.key_bytes);
    const size_t value = set.get<uint16_t>(entry + o_.labels.value_bytes);
    if (at > s.labels.size() || s.labels.size() - at < key + value) break;
    const char* text = reinterpret_cast<const char*>(s.labels.data()) + at;
    labels.emplace_back(std::string(text, key), std::string(text + key, value));
  }
  return labels;
}

}  // namespace weir::profiler::post_mortem
