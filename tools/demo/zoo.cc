// The list of animals (zoo.h).

#include "zoo.h"

namespace zoo {

namespace {

constexpr Animal kAnimals[] = {
    {"nil_chan_send", "sends on a channel that was never made", start_nil_chan_send, nullptr},
    {"nil_chan_receive", "receives from a channel that was never made", start_nil_chan_receive,
     nullptr},
    {"send_without_receive", "sends a result that nobody receives", start_send_without_receive,
     nullptr},
    {"receive_without_send", "waits for a result that nobody sends", start_receive_without_send,
     nullptr},
    {"mutex_forgotten_unlock", "an early return left the mutex locked; all others wait for it",
     start_mutex_forgotten_unlock, nullptr},
    {"waitgroup_misuse", "waits for one Done more than will come", start_waitgroup_misuse, nullptr},
    {"select_no_cases", "a select without cases, meant to keep a program alive",
     start_select_no_cases, nullptr},
    {"infinite_loop", "spins for a flag that nobody sets (at most 8 at once)", start_infinite_loop,
     nullptr},
    {"range_without_close", "a worker ranges over a channel that is never closed",
     range_without_close, nullptr},
    {"double_send", "after sending the error it goes on and sends a result, too", double_send,
     nullptr},
    {"early_return", "the caller returns on an error before it receives", early_return, nullptr},
    {"ncast", "asks several replicas, takes the first answer only", ncast, nullptr},
    {"timeout_return", "the caller gave up waiting before the answer came", timeout_return,
     nullptr},
    {"method_contract", "start() without stop(): the listener runs for ever", method_contract,
     nullptr},
    {"http_body_not_closed", "keeps responses whose bodies were neither read nor closed",
     http_body_not_closed, nullptr},
    {"slow_work", "retries with a pause that doubles without end, while new work arrives",
     slow_work, nullptr},
    {"limit_buffered", "healthy: a buffered channel bounds how many work at once", nullptr,
     live_limit_buffered},
    {"limit_workers", "healthy: an unbuffered channel feeds a fixed set of workers", nullptr,
     live_limit_workers},
    {"busy_pool", "healthy: a pool of workers that is always busy", nullptr, live_busy_pool},
    {"bursts", "healthy: many short goroutines at once, then none", nullptr, live_bursts},
    {"idle_servers", "healthy: HTTP servers and connections that wait for requests", nullptr,
     live_idle_servers},
};

}  // namespace

std::span<const Animal> animals() { return kAnimals; }

}  // namespace zoo
