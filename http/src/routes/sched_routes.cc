#include "sched_routes.h"

#include <weir/introspect.h>

#include <chrono>

#include <weir/profiler/census.h>

#include "answers.h"
#include "params.h"
#include "sched_report.h"

namespace weir::http::routes {

Answer sched(const Query& q) {
  const bool is_json = choice(q, "format", {"text", "json"}) == "json";
  SchedReport r;
  r.taken_at_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                      std::chrono::system_clock::now().time_since_epoch())
                      .count();
  r.sched = introspect::sched();
  introspect::Proc p;
  for (int i = 0; introspect::proc(i, p); ++i) r.procs.push_back(p);
  r.stacks = introspect::stack_memory();
  r.stack_bytes = profiler::shared_stack_bytes();
  r.census = profiler::shared_census();
  Answer a;
  a.content_type = is_json ? "application/json" : kText;
  a.body = is_json ? json(r) : text(r);
  return a;
}

}  // namespace weir::http::routes
