// Kernels (kernels.h): contexts that nobody cancels, or that are not asked.

#include <weir/weir.h>

#include <chrono>
#include <utility>

#include "kernels.h"

namespace kernels {

using namespace std::chrono_literals;
using Ints = weir::chan<int>;

[[gnu::noinline]] static void cancel_dropped_wait(const weir::Context& ctx) { ctx.done().recv(); }
static void cancel_dropped(int) {
  auto ctx = weir::with_cancel(weir::background()).first;  // the way to cancel it is gone
  weir::go([ctx] { cancel_dropped_wait(ctx); });
}

[[gnu::noinline]] static void cancel_in_branch_serve(const weir::Context& ctx, const Ints& in) {
  for (bool on = true; on;) {
    weir::select(weir::on_recv(in), weir::on_recv(ctx.done(), [&on] { on = false; }));
  }
}
static void cancel_in_branch(int round) {
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  auto in = weir::make_chan<int>();
  weir::go([ctx = ctx, in] { cancel_in_branch_serve(ctx, in); });
  if (round >= 0) return;  // the error path does not cancel
  cancel();
}

[[gnu::noinline]] static void background_wait(const weir::Context& ctx) {
  ctx.done().recv();  // of the background: a nil channel
}
static void background(int) {
  weir::go([] { background_wait(weir::background()); });
}

[[gnu::noinline]] static void ignored_wait(const weir::Context&, const Ints& answer) {
  answer.recv();  // not recv(ctx)
}
static void ignored(int) {
  auto [ctx, cancel] = weir::with_timeout(weir::background(), 2ms);
  weir::go([ctx = ctx] { ignored_wait(ctx, weir::make_chan<int>()); });
  weir::sleep_for(1ms);
  cancel();
}

[[gnu::noinline]] static void detached_wait(const weir::Context& ctx, const Ints& events) {
  weir::select(weir::on_recv(events), weir::on_recv(ctx.done()));
}
static void detached(int) {
  auto [request, cancel] = weir::with_timeout(weir::background(), 2ms);
  auto ctx = weir::without_cancel(request);  // "it may outlive the request"
  weir::go([ctx] { detached_wait(ctx, weir::make_chan<int>()); });
  cancel();
}

static const weir::ContextKey<int> kUser;
[[gnu::noinline]] static void value_only_wait(const weir::Context& ctx, const Ints& answer) {
  (void)answer.recv(ctx);
}
static void value_only(int round) {
  auto ctx = weir::with_value(weir::background(), kUser, round);  // no child of the request's
  weir::go([ctx] { value_only_wait(ctx, weir::make_chan<int>()); });
}

[[gnu::noinline]] static void parent_dropped_wait(const weir::Context& ctx, const Ints& answer) {
  (void)answer.recv(ctx);
}
static void parent_dropped(int) {
  auto parent = weir::with_cancel(weir::background()).first;
  auto [child, cancel] = weir::with_cancel(parent);
  weir::go([child = child] { parent_dropped_wait(child, weir::make_chan<int>()); });
  // The request ends; nobody has cancelled.
}

[[gnu::noinline]] static void cleanup_never_wait(const Ints& cleaned) { cleaned.recv(); }
static void cleanup_never(int) {
  auto ctx = weir::with_cancel(weir::background()).first;
  auto cleaned = weir::make_chan<int>();
  (void)weir::after_func(ctx, [cleaned] { cleaned.close(); });
  cleanup_never_wait(cleaned);
}

Family context() {
  return {"context",
          {
              {"cancel_dropped",
               "the cancel function is gone",
               cancel_dropped,
               {{Kind::chan_receive, "cancel_dropped_wait"}}},
              {"cancel_in_branch",
               "an error path does not cancel",
               cancel_in_branch,
               {{Kind::select, "cancel_in_branch_serve"}}},
              {"background",
               "waits for the background to be done",
               background,
               {{Kind::nil_channel, "background_wait", Certainty::certain}}},
              {"ignored",
               "the context is passed on and not asked",
               ignored,
               {{Kind::chan_receive, "ignored_wait"}}},
              {"detached",
               "detached from the request that would have ended it",
               detached,
               {{Kind::select, "detached_wait"}}},
              {"value_only",
               "derived from the background, not from the request",
               value_only,
               {{Kind::chan_receive, "value_only_wait"}}},
              {"parent_dropped",
               "neither the context nor its parent is cancelled",
               parent_dropped,
               {{Kind::chan_receive, "parent_dropped_wait"}}},
              {"cleanup_never",
               "waits for what a context would do that nobody cancels",
               cleanup_never,
               {{Kind::chan_receive, "cleanup_never_wait"}}},
          }};
}

}  // namespace kernels
