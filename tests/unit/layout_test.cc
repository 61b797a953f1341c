// The program's description of itself (<weir/post_mortem.h>), read as a stranger does: from the ELF
// note on.

#include <weir/post_mortem.h>

#include <link.h>

#include <weir/introspect.h>
#include <weir/mutex.h>
#include <weir/weir.h>

#include <cstring>
#include <map>
#include <string>

#include <gtest/gtest.h>

namespace {

using namespace weir::post_mortem;

size_t rounded(size_t n) { return (n + 3) & ~size_t{3}; }

// By the program headers, as of a stripped program.
const Layout* find_layout() {
  const Layout* found = nullptr;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* arg) {
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& p = info->dlpi_phdr[i];
          if (p.p_type != PT_NOTE) continue;
          const char* at = reinterpret_cast<const char*>(info->dlpi_addr + p.p_vaddr);
          const char* end = at + p.p_memsz;
          while (at + sizeof(ElfW(Nhdr)) <= end) {
            ElfW(Nhdr) note;
            std::memcpy(&note, at, sizeof note);
            const char* name = at + sizeof note;
            const char* desc = name + rounded(note.n_namesz);
            if (note.n_type == kNoteType && note.n_namesz == sizeof kNoteOwner &&
                std::strcmp(name, kNoteOwner) == 0) {
              int64_t distance = 0;
              EXPECT_EQ(note.n_descsz, sizeof distance);
              std::memcpy(&distance, desc, sizeof distance);
              *static_cast<const Layout**>(arg) = reinterpret_cast<const Layout*>(desc + distance);
            }
            at = desc + rounded(note.n_descsz);
          }
        }
        return 0;
      },
      &found);
  return found;
}

template <class T>
const T& element(const Layout& layout, Array array, uint32_t i) {
  EXPECT_GE(array.size, sizeof(T));
  EXPECT_LE(array.at + uint64_t{array.size} * array.count, layout.bytes);
  return *reinterpret_cast<const T*>(reinterpret_cast<const char*>(&layout) + array.at +
                                     size_t{array.size} * i);
}

TEST(Layout, IsFoundByItsNoteAndCallsEverythingByOneName) {
  const Layout* layout = find_layout();
  ASSERT_NE(layout, nullptr);
  EXPECT_EQ(std::memcmp(layout->magic, kMagic, sizeof kMagic), 0);
  std::map<std::string, int64_t> entries;
  for (uint32_t i = 0; i < layout->entries.count; ++i) {
    const Entry& e = element<Entry>(*layout, layout->entries, i);
    ASSERT_LT(strnlen(e.name, sizeof e.name), sizeof e.name);
    EXPECT_TRUE(entries.emplace(e.name, e.value).second) << e.name;
  }
  EXPECT_EQ(entries.at("Mutex.size"), static_cast<int64_t>(sizeof(weir::Mutex)));
  EXPECT_EQ(entries.at("Gwaiting"), 4);
  for (uint32_t i = 0; i < layout->globals.count; ++i) {
    const Global& g = element<Global>(*layout, layout->globals, i);
    EXPECT_NE(g.address, nullptr) << g.name;
  }
}

TEST(Layout, WordsAreThoseOfDumps) {
  const Layout* layout = find_layout();
  ASSERT_NE(layout, nullptr);
  size_t reasons = 0;
  for (uint32_t i = 0; i < layout->words.count; ++i) {
    const Word& w = element<Word>(*layout, layout->words, i);
    if (std::strcmp(w.of, "WaitReason") != 0) continue;
    ++reasons;
    EXPECT_STREQ(w.text,
                 weir::introspect::to_string(static_cast<weir::introspect::WaitReason>(w.value)));
  }
  EXPECT_EQ(reasons, weir::introspect::kWaitReasons);
}

TEST(Layout, LeadsToTheGoroutinesOfTheProcess) {
  const Layout* layout = find_layout();
  ASSERT_NE(layout, nullptr);
  const auto number = [&](const char* name) -> size_t {
    for (uint32_t i = 0; i < layout->entries.count; ++i) {
      const Entry& e = element<Entry>(*layout, layout->entries, i);
      if (std::strcmp(e.name, name) == 0) return static_cast<size_t>(e.value);
    }
    ADD_FAILURE() << name;
    return 0;
  };
  const auto address = [&](const char* name) -> const char* {
    for (uint32_t i = 0; i < layout->globals.count; ++i) {
      const Global& g = element<Global>(*layout, layout->globals, i);
      if (std::strcmp(g.name, name) == 0) return static_cast<const char*>(g.address);
    }
    ADD_FAILURE() << name;
    return nullptr;
  };
  const auto word = [](const char* at) {
    uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  };
  weir::run([&] {
    const uint64_t me = weir::goid();
    bool met = false;
    uint32_t chunks = 0;
    std::memcpy(&chunks, address("nchunks"), sizeof chunks);
    for (uint32_t c = 0; c < chunks; ++c) {
      const char* chunk = address("chunks") + c * number("Chunk.size");
      if (word(chunk + number("Chunk.size_class")) == number("kThreadClass")) continue;
      const char* base = reinterpret_cast<const char*>(word(chunk + number("Chunk.base")));
      const size_t stride = word(chunk + number("Chunk.stride"));
      uint32_t used = 0;
      std::memcpy(&used, chunk + number("Chunk.used"), sizeof used);
      for (uint32_t i = 0; i < used; ++i) {
        if (word(chunk + number("Chunk.cold") + i / 64 * 8) >> (i % 64) & 1) continue;
        const char* g = base + (i + 1) * stride - number("G.size") -
                        number("kSpreadBytes") * (i % number("kSpreads"));
        if (word(g + number("G.goid")) == me) met = true;
      }
    }
    EXPECT_TRUE(met);
  });
}

}  // namespace
