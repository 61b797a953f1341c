#include "runtime_layout.h"

#include <weir/introspect.h>
#include <weir/post_mortem.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include <weir/profiler/error.h>

#include "../elf_notes.h"

namespace weir::profiler::post_mortem {

namespace {

using weir::post_mortem::Array;
using weir::post_mortem::Entry;
using weir::post_mortem::Global;
using weir::post_mortem::Layout;
using weir::post_mortem::Word;

constexpr size_t kMaxBytes = 1 << 20;

// Where the object's note says that the layout is.
std::optional<uint64_t> note_of(const ForeignModules::Object& object, Memory& memory) {
  std::optional<uint64_t> layout;
  for (const auto& segment : object.notes) {
    std::vector<std::byte> notes(segment.bytes);
    if (!memory.read(segment.at, notes.data(), notes.size())) continue;
    for_each_note(
        notes, segment.align,
        [&](std::string_view owner, uint32_t type, std::span<const std::byte> desc, size_t at) {
          if (owner != weir::post_mortem::kNoteOwner || type != weir::post_mortem::kNoteType ||
              desc.size() < sizeof(int64_t)) {
            return false;
          }
          layout = segment.at + at + Record(desc).word(0);
          return true;
        });
  }
  return layout;
}

template <size_t N>
std::string text_of(const Record& record, size_t at) {
  char text[N + 1];
  record.text(at, N, text);
  return text;
}

// Calls f(record) for each element.
template <class F>
void for_each(std::span<const std::byte> table, const Array& array, size_t least, F f) {
  if (array.size < least) return;
  for (uint64_t i = 0; i < array.count; ++i) {
    const uint64_t at = array.at + i * array.size;
    if (at > table.size() || table.size() - at < array.size) return;
    f(Record(table.subspan(at, array.size)));
  }
}

}  // namespace

RuntimeLayout::RuntimeLayout(const ForeignModules& modules, Memory& memory) {
  for (const auto& object : modules.objects()) {
    const auto at = note_of(*object, memory);
    if (at && read(memory, *at)) return;
  }
  throw error("no weir runtime in it (or one that is older than post-mortem reading)");
}

bool RuntimeLayout::read(Memory& memory, uint64_t at) {
  const auto head = memory.get<Layout>(at);
  if (!head || std::memcmp(head->magic, weir::post_mortem::kMagic, sizeof head->magic) != 0) {
    return false;
  }
  std::vector<std::byte> table(std::min<size_t>(head->bytes, kMaxBytes));
  if (!memory.read(at, table.data(), table.size())) return false;
  for_each(table, head->entries, sizeof(Entry), [this](const Record& e) {
    entries_[text_of<sizeof Entry::name>(e, 0)] = e.word(offsetof(Entry, value));
  });
  for_each(table, head->globals, sizeof(Global), [this](const Record& g) {
    globals_[text_of<sizeof Global::name>(g, 0)] = g.word(offsetof(Global, address));
  });
  for_each(table, head->words, sizeof(Word), [this](const Record& w) { learn_word(w); });
  return true;
}

void RuntimeLayout::learn_word(const Record& word) {
  const std::string of = text_of<sizeof Word::of>(word, offsetof(Word, of));
  const std::string text = text_of<sizeof Word::text>(word, offsetof(Word, text));
  const auto learn = [&](size_t count, auto to_text) {
    for (size_t i = 0; i < count; ++i) {
      if (text == to_text(i)) words_.push_back({of, word.word(offsetof(Word, value)), i});
    }
  };
  if (of == "WaitReason") {
    learn(introspect::kWaitReasons,
          [](size_t i) { return introspect::to_string(static_cast<introspect::WaitReason>(i)); });
  } else if (of == "ContextKind") {
    learn(static_cast<size_t>(introspect::ContextKind::group) + 1,
          [](size_t i) { return introspect::to_string(static_cast<introspect::ContextKind>(i)); });
  }
}

size_t RuntimeLayout::operator[](const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    throw error("its weir runtime is of another version, which does not tell '" + name +
                "': use the weir command of that version");
  }
  return found->second;
}

uint64_t RuntimeLayout::address(const std::string& name) const {
  const auto found = globals_.find(name);
  if (found == globals_.end()) {
    throw error("its weir runtime is of another version, which does not tell where '" + name +
                "' is: use the weir command of that version");
  }
  return found->second;
}

size_t RuntimeLayout::ours(std::string_view of, uint64_t value) const {
  for (const Known& w : words_) {
    if (w.of == of && w.theirs == value) return w.ours;
  }
  return 0;
}

}  // namespace weir::profiler::post_mortem
