#include "metrics_routes.h"

#include <weir/introspect.h>

#include <weir/profiler/capture.h>
#include <weir/profiler/census.h>

#include "exposition.h"
#include "metrics.h"
#include "process_stats.h"

namespace weir::http::routes {

namespace {

std::shared_ptr<const observe::Observation> last_observation() {
  const auto observer = observe::current();
  return observer ? observer->latest() : nullptr;
}

}  // namespace

Answer metrics(const Query&) {
  Answer a;
  a.content_type = Exposition::kContentType;
  a.body =
      exposition({introspect::sched(), introspect::stack_memory(), profiler::shared_stack_bytes(),
                  profiler::shared_census(), profiler::capture_stats(), last_observation(),
                  process_stats(), WEIR_VERSION});
  return a;
}

}  // namespace weir::http::routes
