// The leak zoo: each animal is a way in which real programs leak goroutines, or a healthy neighbour
// that looks like one. The name of an animal is the name of the function in which its goroutines
// block, so a dump tells which one it is.
#pragma once

#include <functional>
#include <span>
#include <string_view>

namespace zoo {

struct Animal {
  std::string_view name;
  std::string_view what;  // one line
  void (*leak)();  // leaks one goroutine and returns; called from a goroutine. Null: a neighbour
  void (*live)();  // a neighbour's life: returns never
};

std::span<const Animal> animals();

// The mission's ways to block for ever (blocked.cc). Each leaks one goroutine per call.
void start_nil_chan_send();
void start_nil_chan_receive();
void start_send_without_receive();
void start_receive_without_send();
void start_mutex_forgotten_unlock();  // the first call forgets, the others block
void start_waitgroup_misuse();
void start_select_no_cases();
void start_infinite_loop();  // at most kMaxSpinners at once: each takes a whole CPU
inline constexpr int kMaxSpinners = 8;

// The patterns known from the field (patterns.cc).
void range_without_close();
void double_send();
void early_return();
void ncast();
void timeout_return();
void method_contract();

// HTTP (web.cc).
void http_body_not_closed();
void slow_work();
void live_idle_servers();  // healthy

// Healthy neighbours (neighbours.cc).
// The two ways to bound concurrency: run `work` `jobs` times, at most `limit` at once; return when
// all are done.
void limit_buffered(int jobs, int limit, const std::function<void()>& work);
void limit_workers(int jobs, int limit, const std::function<void()>& work);
void live_limit_buffered();
void live_limit_workers();
void live_busy_pool();
void live_bursts();

}  // namespace zoo
