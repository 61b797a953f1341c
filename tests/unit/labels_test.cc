// Labels and names of goroutines: what with_labels adds and restores, who inherits it, its bounds,
// and what an observer may keep of it.
#include <weir/labels.h>

#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <weir/introspect.h>
#include <weir/weir.h>

#include "test_util.h"

namespace weir::testing {
namespace {

using introspect::LabelSet;

WEIR_FOR_ALL_PROCS(Labels);
WEIR_FOR_ALL_PROCS(GoroutineName);

std::string value_of(std::string_view key) { return label(key).value_or("-"); }

// All labels of a set, "key=value ...".
std::string text_of(const LabelSet* set) {
  std::string text;
  for (size_t i = 0; set && i < introspect::label_count(set); i++) {
    const Label l = introspect::label_at(set, i);
    text.append(text.empty() ? "" : " ").append(l.key).append("=").append(l.value);
  }
  return text;
}

// What an observer sees of a goroutine that is held.
struct Seen {
  bool held = false;
  std::string labels, name;
};
Seen look_for_labels(uint64_t goid) {
  Seen seen;
  introspect::Goroutine g;
  introspect::Registers regs;
  for (size_t slot = 0, n = introspect::slot_count(); slot < n; slot++) {
    if (introspect::hold(slot, g, regs) != introspect::Scan::held) continue;
    const LabelSet* set = g.goid == goid ? g.labels : nullptr;
    if (set) introspect::ref_labels(set);
    introspect::release(slot);
    if (g.goid != goid) continue;
    seen = {true, text_of(set), g.name};
    if (set) introspect::unref_labels(set);
  }
  return seen;
}

TEST_P(Labels, AreAddedReplacedAndRestored) {
  run([] {
    EXPECT_EQ(label("a"), std::nullopt);
    with_labels({{"a", "1"}, {"b", "2"}}, [] {
      EXPECT_EQ(label("a"), "1");
      EXPECT_EQ(label("b"), "2");
      EXPECT_EQ(label(""), std::nullopt);
      with_labels({{"b", "3"}, {"c", ""}}, [] {
        EXPECT_EQ(value_of("a") + value_of("b") + value_of("c"), "13");
        gosched();  // and on another thread
        EXPECT_EQ(value_of("a") + value_of("b") + value_of("c"), "13");
      });
      EXPECT_EQ(value_of("a") + value_of("b") + value_of("c"), "12-");
      with_labels({}, [] { EXPECT_EQ(value_of("a") + value_of("b"), "12"); });
      with_labels({{"a", "x"}, {"a", "y"}}, [] { EXPECT_EQ(value_of("a"), "y"); });
      EXPECT_EQ(value_of("a"), "1");
    });
    EXPECT_EQ(value_of("a") + value_of("b"), "--");
    with_labels({}, [] { EXPECT_EQ(label("a"), std::nullopt); });
  });
}

TEST_P(Labels, ReturnWhatTheFunctionReturns) {
  run([] {
    int n = 7;
    static_assert(std::is_void_v<decltype(with_labels({{"k", "v"}}, [] {}))>);
    int& same = with_labels({{"k", "v"}}, [&]() -> int& { return n; });
    EXPECT_EQ(&same, &n);
    auto moved = with_labels({{"k", "v"}}, [] { return std::make_unique<int>(8); });
    EXPECT_EQ(*moved, 8);
    // A list that is known at run time only; a function that can be called once.
    std::vector<Label> list = {{"x", "1"}, {"y", "2"}};
    struct Once {
      std::unique_ptr<int> own;
      std::string operator()() && { return value_of("x") + value_of("y"); }
    };
    EXPECT_EQ(with_labels(list, Once{std::move(moved)}), "12");
  });
}

TEST_P(Labels, AreRestoredAfterAnException) {
  run([] {
    with_labels({{"k", "outer"}}, [] {
      EXPECT_THROW(with_labels({{"k", "inner"}}, [] { throw std::runtime_error("x"); }),
                   std::runtime_error);
      EXPECT_EQ(label("k"), "outer");
    });
  });
}

TEST_P(Labels, AreRestoredByGoexit) {
  run([] {
    std::string outside, inside;
    WaitGroup wg;
    wg.go([&] {
      struct AtExit {
        std::string& seen;
        ~AtExit() { seen = value_of("k"); }
      };
      AtExit outer{outside};
      with_labels({{"k", "v"}}, [&] {
        AtExit inner{inside};
        goexit();
      });
    });
    wg.wait();
    EXPECT_EQ(inside, "v");
    EXPECT_EQ(outside, "-");
  });
}

TEST_P(Labels, AreInheritedByThoseThatAreStartedInside) {
  run([] {
    auto proceed = make_chan<int>();
    auto results = make_chan<std::string>(8);
    with_labels({{"k", "parent"}}, [&] {
      go([=]() mutable {
        go([=]() mutable {  // a grandchild
          proceed.recv();
          results.send(value_of("k"));
        });
        with_labels({{"k", "child"}}, [&] {
          go([=]() mutable {
            proceed.recv();
            results.send(value_of("k"));
          });
        });
        proceed.recv();
        results.send(value_of("k"));
      });
      gosched();
      EXPECT_EQ(label("k"), "parent");  // whatever the child does
    });
    go([=]() mutable { results.send(value_of("k")); });
    EXPECT_EQ(*results.recv(), "-");
    proceed.close();  // long after the parent's scope has ended
    std::multiset<std::string> all;
    for (int i = 0; i < 3; i++) all.insert(*results.recv());
    EXPECT_EQ(all, (std::multiset<std::string>{"child", "parent", "parent"}));
    ASSERT_TRUE(settle());
  });
}

TEST_P(Labels, MarksAreInheritedAndNoLabels) {
  run([] {
    auto proceed = make_chan<int>();
    auto id = make_chan<uint64_t>(1);
    uint64_t child = 0;
    {
      const detail::label_scope outer({}, 7);
      EXPECT_EQ(detail::mark(), 7U);
      with_labels({{"k", "v"}}, [&] {
        const detail::label_scope inner({}, 9);
        EXPECT_EQ(detail::mark(), 9U);
        child = go_with_id([=]() mutable {
          with_labels({{"k", "w"}},
                      [&] { id.send(go_with_id([=]() mutable { proceed.recv(); })); });
          proceed.recv();
        });
      });
      EXPECT_EQ(detail::mark(), 7U);
    }
    EXPECT_EQ(detail::mark(), 0U);
    const uint64_t grandchild = *id.recv();
    const uint64_t outsider = go_with_id([=]() mutable { proceed.recv(); });

    const auto marks_of = [](uint64_t goid) {
      EXPECT_TRUE(waits(goid, introspect::WaitReason::chan_receive));
      std::string marks;
      introspect::Goroutine g;
      introspect::Registers regs;
      const size_t slot = look_at(goid)->slot;
      EXPECT_EQ(introspect::hold(slot, g, regs), introspect::Scan::held);
      const LabelSet* set = g.labels;
      if (set) introspect::ref_labels(set);
      introspect::release(slot);
      for (const uint64_t mark : {7, 8, 9}) {
        if (set && introspect::has_mark(set, mark)) marks += std::to_string(mark);
      }
      marks += " " + text_of(set);
      if (set) introspect::unref_labels(set);
      return marks;
    };
    EXPECT_EQ(marks_of(child), "79 k=v");
    EXPECT_EQ(marks_of(grandchild), "79 k=w");
    EXPECT_EQ(marks_of(outsider), " ");
    proceed.close();
    ASSERT_TRUE(settle());
  });
}

TEST(LabelsOnThreads, RunsMainInheritsItsCallers) {
  std::string in_main;
  uint64_t mark = 0;
  const detail::label_scope scope({}, 5);
  with_labels({{"k", "caller"}}, [&] {
    weir::run([&] {
      in_main = value_of("k");
      mark = detail::mark();
    });
  });
  EXPECT_EQ(in_main, "caller");
  EXPECT_EQ(mark, 5U);
}

TEST(LabelsOnThreads, WorkAndAreInheritedByGoroutines) {
  std::string on_thread, after, in_goroutine;
  std::thread([&] {
    WaitGroup wg;
    with_labels({{"k", "thread"}}, [&] {
      on_thread = value_of("k");
      wg.go([&] { in_goroutine = value_of("k"); });
    });
    after = value_of("k");
    weir::run([&] { wg.wait(); });
  }).join();
  EXPECT_EQ(on_thread, "thread");
  EXPECT_EQ(after, "-");
  EXPECT_EQ(in_goroutine, "thread");
}

TEST(LabelBounds, KeysHaveOneTo64Bytes) {
  auto keyed = [](const std::string& key) {
    return with_labels({{key, "v"}}, [&] { return value_of(key); });
  };
  EXPECT_EQ(keyed(std::string(64, 'k')), "v");
  EXPECT_EQ(keyed(std::string("a\0b", 3)), "v");
  EXPECT_THROW(keyed(std::string(65, 'k')), std::invalid_argument);
  EXPECT_THROW(keyed(""), std::invalid_argument);
  EXPECT_EQ(label(std::string(65, 'k')), std::nullopt);
}

TEST(LabelBounds, AtMost32LabelsInAll) {
  std::vector<std::string> keys;
  for (int i = 0; i < 33; i++) keys.push_back("k" + std::to_string(i));
  std::vector<Label> labels;
  for (int i = 0; i < 32; i++) labels.push_back({keys[static_cast<size_t>(i)], "v"});
  with_labels(labels, [&] {
    EXPECT_EQ(label("k31"), "v");
    EXPECT_EQ(with_labels({{"k7", "w"}}, [] { return value_of("k7"); }), "w");
    bool called = false;
    EXPECT_THROW(with_labels({{"k32", "v"}}, [&] { called = true; }), std::invalid_argument);
    EXPECT_FALSE(called);
    EXPECT_EQ(label("k7"), "v");
  });
}

TEST(LabelBounds, ValuesAreCutBetweenCharacters) {
  auto kept = [](const std::string& value) {
    return with_labels({{"k", value}}, [] { return value_of("k"); });
  };
  EXPECT_EQ(kept(std::string(256, 'v')).size(), 256u);
  EXPECT_EQ(kept(std::string(257, 'v')), std::string(256, 'v'));
  const std::string two = "\u00e9", three = "\u20ac", four = "\U0001f600";
  for (const std::string& character : {two, three, four}) {
    for (size_t before = 250; before <= 256; before++) {
      const std::string head(before, 'v');
      const bool fits = before + character.size() <= 256;
      EXPECT_EQ(kept(head + character + "tail").substr(0, before + character.size()),
                fits ? head + character : head)
          << before;
    }
  }
  EXPECT_EQ(kept(std::string(300, '\x80')), std::string(256, '\x80'));  // no UTF-8 at all
}

TEST_P(Labels, OfAHeldGoroutineCanBeReadAfterItIsGone) {
  run([] {
    auto end = make_chan<int>();
    const uint64_t id =
        with_labels({{"b", "2"}, {"a", "1"}}, [&] { return go_with_id([end] { end.recv(); }); });
    ASSERT_TRUE(waits(id, introspect::WaitReason::chan_receive));
    const LabelSet* kept = nullptr;
    introspect::Goroutine g;
    introspect::Registers regs;
    for (size_t slot = 0, n = introspect::slot_count(); slot < n; slot++) {
      if (introspect::hold(slot, g, regs) != introspect::Scan::held) continue;
      if (g.goid == id) introspect::ref_labels(kept = g.labels);
      introspect::release(slot);
    }
    ASSERT_NE(kept, nullptr);
    end.close();
    ASSERT_TRUE(eventually([id] { return !look_at(id); }));
    for (int i = 0; i < 100; i++) with_labels({{"other", "set"}}, [] {});
    EXPECT_EQ(text_of(kept), "a=1 b=2");
    introspect::unref_labels(kept);
    EXPECT_EQ(look_for_labels(goid()).held, false);  // it runs
    ASSERT_TRUE(settle());
  });
}

// Runs in a signal handler: must not be instrumented.
#if defined(__clang__)
__attribute__((no_sanitize("thread")))
#else
__attribute__((no_sanitize_thread))
#endif
void keep_labels(const introspect::Goroutine& g, const introspect::Registers&, void* arg) {
  introspect::ref_labels(g.labels);
  *static_cast<const LabelSet**>(arg) = g.labels;
}

TEST_P(Labels, OfARunningGoroutineAreReadInItsSignalHandler) {
  run([] {
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> id{0};
    WaitGroup wg;
    wg.go([&] {
      with_labels({{"k", "runs"}}, [&] {
        id = goid();
        while (!stop.load(std::memory_order_relaxed)) {
        }
      });
    });
    ASSERT_TRUE(eventually([&] { return id != 0; }));
    const LabelSet* kept = nullptr;
    ASSERT_TRUE(eventually([&] {
      auto look = look_at(id);
      if (!look || look->scan != introspect::Scan::running) return false;
      EXPECT_EQ(look->g.labels, nullptr);  // hold tells nothing that changes under its eyes
      return introspect::interrupt(look->slot, id, keep_labels, &kept, 1'000'000'000);
    }));
    stop = true;
    wg.wait();
    EXPECT_EQ(text_of(kept), "k=runs");
    introspect::unref_labels(kept);
  });
}

// Every set is freed: by scopes, by goroutines that inherited it, by observers.
TEST(LabelMemory, IsGivenBack) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's allocator does not tell";
  weir::run([] {
    auto round = [] {
      const std::string large(256, 'v');
      WaitGroup wg;
      with_labels({{"large", large}}, [&] {
        for (int i = 0; i < 100; i++) {
          wg.go([&large, i] {
            with_labels({{"own", large}}, [i] {
              if (i % 2) goexit();
            });
          });
        }
        look_for_labels(0);
      });
      wg.wait();
    };
    for (int i = 0; i < 20; i++) round();
    const size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 200; i++) round();  // 20 200 sets of about 300 bytes
    const size_t after = mallinfo2().uordblks;
    EXPECT_LT(after, before + 500'000);
  });
}

TEST_P(GoroutineName, ReplacesTheOneOfGoOptions) {
  run([] {
    auto step = make_chan<int>();
    auto id = make_chan<uint64_t>(1);
    go({.name = "first"}, [=]() mutable {
      id.send(goid());
      step.recv();
      set_goroutine_name("second");
      step.recv();
      set_goroutine_name(std::string(40, 'x'));
      step.recv();
      set_goroutine_name(std::string(30, 'y') + "\u00e9");
      step.recv();
      set_goroutine_name("");
      step.recv();
    });
    const uint64_t worker = *id.recv();
    for (const std::string& name : {std::string("first"), std::string("second"),
                                    std::string(31, 'x'), std::string(30, 'y'), std::string()}) {
      EXPECT_TRUE(eventually([&] {
        const Seen seen = look_for_labels(worker);
        return seen.held && seen.name == name;
      })) << name;
      step.send(0);
    }
    ASSERT_TRUE(settle());
  });
}

TEST(GoroutineNameOnThreads, IsShownInDumps) {
  std::thread([] {
    set_goroutine_name("a thread of mine");
    auto look = look_at(goid());
    ASSERT_TRUE(look);
    EXPECT_STREQ(look->g.name, "a thread of mine");
  }).join();
}

}  // namespace
}  // namespace weir::testing
