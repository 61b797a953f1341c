// Capture of the real scheduler: what each kind of wait is told with, objects and contexts
// included.
#include <weir/profiler/capture.h>

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/net.h>
#include <weir/profiler/encode.h>
#include <weir/weir.h>

#include "capture_test_util.h"
#include "reader_process.h"

// Where goroutines wait: functions that are not inlined, with names to look for.
namespace spotted {

[[gnu::noinline]] void send(weir::chan<int> c) { c.send(1); }
[[gnu::noinline]] void select_two(weir::chan<int> a, weir::chan<int> b) {
  weir::select(weir::on_recv(a), weir::on_send(b, 1));
}
[[gnu::noinline]] void read_lock(weir::RWMutex& m) { std::shared_lock hold(m); }
[[gnu::noinline]] void wait(weir::WaitGroup& wg) { wg.wait(); }
[[gnu::noinline]] void sleep() { weir::sleep_for(std::chrono::hours(24)); }
[[gnu::noinline]] void receive_nil() { weir::chan<int>().recv(); }
[[gnu::noinline]] void send_nil() { weir::chan<int>().send(1); }
[[gnu::noinline]] void no_cases() { weir::select(); }
[[gnu::noinline]] void wait_for_cond(weir::Cond& cond, weir::Mutex& m) {
  std::unique_lock hold(m);
  cond.wait(hold);
}
[[gnu::noinline]] void acquire(weir::Semaphore& s) { s.acquire(2); }
[[gnu::noinline]] void read_connection(const weir::net::Conn& conn) {
  char byte = 0;
  (void)conn.read(&byte, 1);
}
[[gnu::noinline]] void wait_for_timer(weir::recv_chan<std::chrono::steady_clock::time_point> c) {
  c.recv();
}
[[gnu::noinline]] weir::Context forget(int) { return weir::with_cancel(weir::Context()).first; }

}  // namespace spotted

namespace weir::profiler {
namespace {

using introspect::WaitReason;
using profiler::testing::ReaderProcess;
using profiler::testing::written;
using weir::testing::eventually;
using weir::testing::go_with_id;
using weir::testing::waits;

WEIR_FOR_ALL_PROCS(CaptureWaits);

TEST_P(CaptureWaits, TellsWhereAndForWhatGoroutinesWait) {
  run([] {
    auto empty = make_chan<int>(), full = make_chan<int>(1), other = make_chan<int>();
    full.send(1);
    Mutex mutex;
    RWMutex rw;
    WaitGroup group;
    mutex.lock();
    rw.lock();
    group.add(3);
    const int made_line = __LINE__ + 1;
    const uint64_t receiver = go_with_id([empty] { spotted::receive(empty); });
    const uint64_t sender = go_with_id([full] { spotted::send(full); });
    const uint64_t selector = go_with_id([empty, other] { spotted::select_two(empty, other); });
    const uint64_t locker = go_with_id([&mutex] { spotted::lock(mutex); });
    const uint64_t reader = go_with_id([&rw] { spotted::read_lock(rw); });
    const uint64_t waiter = go_with_id([&group] { spotted::wait(group); });
    ASSERT_TRUE(waits(receiver, WaitReason::chan_receive));
    ASSERT_TRUE(waits(sender, WaitReason::chan_send));
    ASSERT_TRUE(waits(selector, WaitReason::select));
    ASSERT_TRUE(waits(locker, WaitReason::mutex_lock));
    ASSERT_TRUE(waits(reader, WaitReason::rwmutex_rlock));
    ASSERT_TRUE(waits(waiter, WaitReason::waitgroup_wait));

    const Snapshot s = capture();
    expect_sound(s);
    Found f = expect_waiting(s, receiver, "chan receive", "spotted::receive", "chan");
    ASSERT_TRUE(f);
    EXPECT_EQ(f.member->parent_goid, goid());
    EXPECT_EQ(f.object().address, reinterpret_cast<uint64_t>(empty.core()));
    EXPECT_FALSE(f.object().send);
    ASSERT_NE(f.group->created_by, kNone);
    EXPECT_TRUE(user_frame(s, f.group->created_by).line > 0);
    ASSERT_NE(f.object().made_at, kNone);
    EXPECT_TRUE(user_frame(s, f.object().made_at).file.ends_with("capture_test.cc"));
    EXPECT_LT(user_frame(s, f.object().made_at).line, made_line);

    f = expect_waiting(s, sender, "chan send", "spotted::send", "chan");
    ASSERT_TRUE(f);
    EXPECT_TRUE(f.object().send);
    EXPECT_EQ(f.object().cap, 1U);
    EXPECT_EQ(f.object().len, 1U);
    EXPECT_EQ(f.object().sends, 1U);

    f = expect_waiting(s, selector, "select", "spotted::select_two", "chan");
    ASSERT_TRUE(f);
    ASSERT_EQ(f.member->object_count, 2U);
    EXPECT_EQ(f.member->objects_total, 2U);
    EXPECT_EQ(s.objects[f.member->first_object].address, reinterpret_cast<uint64_t>(empty.core()));
    EXPECT_EQ(s.objects[f.member->first_object + 1].address,
              reinterpret_cast<uint64_t>(other.core()));
    EXPECT_TRUE(s.objects[f.member->first_object + 1].send);

    f = expect_waiting(s, locker, "sync.Mutex.Lock", "spotted::lock", "mutex");
    ASSERT_TRUE(f);
    EXPECT_EQ(f.object().owner_goid, goid());
    EXPECT_TRUE(f.object().owner_alive);
    ASSERT_NE(f.object().locked_at, kNone);
    EXPECT_TRUE(user_frame(s, f.object().locked_at).file.ends_with("capture_test.cc"));

    f = expect_waiting(s, reader, "sync.RWMutex.RLock", "spotted::read_lock", "rwmutex");
    ASSERT_TRUE(f);
    EXPECT_EQ(f.object().owner_goid, goid());

    f = expect_waiting(s, waiter, "sync.WaitGroup.Wait", "spotted::wait", "waitgroup");
    ASSERT_TRUE(f);
    EXPECT_EQ(f.object().counter, 3);
    EXPECT_EQ(f.object().adds, 3U);
    ASSERT_NE(f.object().added_at, kNone);

    empty.close();
    full.recv();
    mutex.unlock();
    rw.unlock();
    group.add(-3);
    ASSERT_TRUE(weir::testing::settle());
  });
}

TEST_P(CaptureWaits, TellsOfConditionsSemaphoresAndConnections) {
  run([] {
    Mutex mutex;
    Cond cond;
    cond.signal();
    Semaphore semaphore(3);
    semaphore.acquire(2);
    net::Listener listener = net::listen("tcp", "127.0.0.1:0");
    const std::string address = listener.addr().to_string();
    net::Conn client = net::dial("tcp", address);
    net::Conn server = listener.accept();

    const uint64_t waiter = go_with_id([&] { spotted::wait_for_cond(cond, mutex); });
    const uint64_t acquirer = go_with_id([&] { spotted::acquire(semaphore); });
    const uint64_t reader = go_with_id([&] { spotted::read_connection(server); });
    auto timer = after(std::chrono::hours(24));
    const uint64_t sleeper = go_with_id([timer] { spotted::wait_for_timer(timer); });
    ASSERT_TRUE(waits(waiter, WaitReason::cond_wait));
    ASSERT_TRUE(waits(acquirer, WaitReason::semacquire));
    ASSERT_TRUE(waits(reader, WaitReason::io_wait));
    ASSERT_TRUE(waits(sleeper, WaitReason::chan_receive));

    const Snapshot s = capture();
    expect_sound(s);
    Found f = expect_waiting(s, waiter, "sync.Cond.Wait", "spotted::wait_for_cond", "cond");
    ASSERT_TRUE(f);
    EXPECT_EQ(f.object().waiters, 1U);
    EXPECT_EQ(f.object().signals, 1U);
    ASSERT_NE(f.object().signalled_at, kNone);
    EXPECT_TRUE(user_frame(s, f.object().signalled_at).file.ends_with("capture_test.cc"));

    f = expect_waiting(s, acquirer, "semacquire", "spotted::acquire", "semaphore");
    ASSERT_TRUE(f);
    EXPECT_EQ(f.object().cap, 3U);
    EXPECT_EQ(f.object().len, 2U);
    EXPECT_EQ(f.object().waiters, 1U);

    f = expect_waiting(s, reader, "IO wait", "spotted::read_connection", "io");
    ASSERT_TRUE(f);
    EXPECT_GT(f.object().fd, 2);
    EXPECT_FALSE(f.object().send);
    EXPECT_EQ(s.strings[f.object().network], "tcp");
    EXPECT_EQ(s.strings[f.object().local], address);
    const std::string remote = s.strings[f.object().remote];
    EXPECT_TRUE(remote.starts_with("127.0.0.1:")) << remote;
    const std::string dump = written(write_debug2, s);
    EXPECT_NE(dump.find("[IO wait, read tcp " + address + "->" + remote + "]:\n"), dump.npos)
        << dump;
    const std::string read = ReaderProcess().read("panicparse -no-color", dump);
    EXPECT_NE(read.find("1: IO wait ["), read.npos) << read;

    f = expect_waiting(s, sleeper, "chan receive", "spotted::wait_for_timer", "chan");
    ASSERT_TRUE(f);
    EXPECT_TRUE(f.object().timer);
    EXPECT_TRUE(f.object().armed);

    cond.signal();
    semaphore.release(2);
    client.close();
    ASSERT_TRUE(eventually([&] {
      return !weir::testing::look_at(waiter) && !weir::testing::look_at(acquirer) &&
             !weir::testing::look_at(reader);
    }));
  });
}

TEST_P(CaptureWaits, CountsContextsByPlaceAndState) {
  run([] {
    std::vector<Context> kept;
    for (int i = 0; i < 3; ++i) kept.push_back(spotted::forget(i));
    std::vector<CancelFunc> cancels;
    for (int i = 0; i < 4; ++i) {
      auto [context, cancel] = with_cancel(kept[0]);
      kept.push_back(context);
      cancels.push_back(cancel);
    }
    cancels[0]();
    kept.push_back(with_timeout(Context(), std::chrono::hours(1)).first);
    auto end = make_chan<int>();
    const uint64_t receiver = go_with_id([ctx = kept[1], end] { (void)end.recv(ctx); });
    ASSERT_TRUE(eventually([&] {
      const auto look = weir::testing::look_at(receiver);
      return look && look->g.state == introspect::State::waiting;
    }));

    const Snapshot s = capture();
    const auto find_contexts = [&](const std::string& kind, const std::string& state,
                                   const std::string& function) {
      const ContextGroup* found = nullptr;
      for (const ContextGroup& g : s.contexts) {
        if (g.kind != kind || g.state != state || g.made_at == kNone) continue;
        if (!user_frame(s, g.made_at).function.starts_with(function)) continue;
        EXPECT_EQ(found, nullptr) << kind << " " << state << " is there twice";
        found = &g;
      }
      return found;
    };
    const ContextGroup* forgotten = find_contexts("cancel", "active", "spotted::forget");
    ASSERT_TRUE(forgotten);
    EXPECT_EQ(forgotten, &s.contexts[0]);  // the worst come first
    EXPECT_EQ(forgotten->count, 3U);
    EXPECT_EQ(forgotten->forgotten, 3U);
    EXPECT_EQ(forgotten->waiters, 1U);
    EXPECT_GT(forgotten->oldest_ns, 0);
    EXPECT_EQ(forgotten->oldest_maker_goid, goid());
    const std::string here = "weir::profiler::Capture_CountsContexts";
    const ContextGroup* active = find_contexts("cancel", "active", here);
    ASSERT_TRUE(active);
    EXPECT_EQ(active->count, 3U);
    EXPECT_EQ(active->forgotten, 0U);
    const ContextGroup* cancelled = find_contexts("cancel", "cancelled", here);
    ASSERT_TRUE(cancelled);
    EXPECT_EQ(cancelled->count, 1U);
    const ContextGroup* timed = find_contexts("deadline", "active", here);
    ASSERT_TRUE(timed);
    EXPECT_EQ(timed->count, 1U);
    EXPECT_EQ(timed->forgotten, 0U);  // its time will come
    EXPECT_TRUE(capture({.detail = Detail::members}).contexts.empty());
    end.close();
    ASSERT_TRUE(eventually([&] { return !weir::testing::look_at(receiver); }));
  });
}

TEST_P(CaptureWaits, ShowsThoseThatWaitForNothing) {
  run([] {
    const uint64_t receiver = go_with_id([] { spotted::receive_nil(); });
    const uint64_t sender = go_with_id([] { spotted::send_nil(); });
    const uint64_t selector = go_with_id([] { spotted::no_cases(); });
    const uint64_t sleeper = go_with_id([] { spotted::sleep(); });
    ASSERT_TRUE(waits(receiver, WaitReason::chan_receive_nil));
    ASSERT_TRUE(waits(sender, WaitReason::chan_send_nil));
    ASSERT_TRUE(waits(selector, WaitReason::select_no_cases));
    ASSERT_TRUE(waits(sleeper, WaitReason::sleep));
    const Snapshot s = capture();
    expect_waiting(s, receiver, "chan receive (nil chan)", "spotted::receive_nil", "");
    expect_waiting(s, sender, "chan send (nil chan)", "spotted::send_nil", "");
    expect_waiting(s, selector, "select (no cases)", "spotted::no_cases", "");
    expect_waiting(s, sleeper, "sleep", "spotted::sleep", "");
  });
}

}  // namespace
}  // namespace weir::profiler
