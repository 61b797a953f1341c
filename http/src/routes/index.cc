#include "index.h"

#include <string>
#include <string_view>

#include <weir/go.h>

#include "page/page.h"

namespace weir::http::routes {

namespace {

struct Row {
  const char *link, *name, *what;  // HTML
};
constexpr std::string_view kPage = "ui/";
constexpr Row kRows[] = {
    {"/debug/ui/", kPage.data(), "the page: what leaks, over time, and where"},
    {"/debug/goroutine?debug=1", "goroutine?debug=1", "goroutines grouped by stack, with counts"},
    {"/debug/goroutine?debug=2", "goroutine?debug=2",
     "full goroutine stack dump: every goroutine, what it waits for, who created it"},
    {"/debug/goroutine?format=json", "goroutine?format=json",
     "the same as JSON, with channels, locks and wait groups; group=0x.. and goid=N, a few of "
     "them; "
     "format=groups, counts alone"},
    {"/debug/goroutine?debug=1&amp;state=waiting", "goroutine?q=&amp;state=&amp;label=",
     "the same of those that are asked for: q, found in functions, places, names, labels and what "
     "they wait for; state, a state or a wait reason; label, key or key=value; for every format "
     "and for the graphs"},
    {"/debug/pprof/goroutine", "pprof/goroutine",
     "profile for <code>go tool pprof http://HOST/debug/pprof/goroutine</code>"},
    {"/debug/pprof/goroutine?debug=3", "pprof/goroutine?debug=3",
     "the same with a sample for each goroutine: id, state, time, stack bytes"},
    {"/debug/pprof/goroutine?seconds=1", "pprof/goroutine?seconds=1",
     "how it changes in that time; also of block, mutex, creation, threadcreate"},
    {"/debug/pprof/creation?debug=1", "pprof/creation?debug=1",
     "goroutines by the stack that created them"},
    {"/debug/pprof/block?debug=1", "pprof/block?debug=1",
     "where goroutines were kept waiting; off until <code>weir::set_block_profile_rate</code>"},
    {"/debug/pprof/mutex?debug=1", "pprof/mutex?debug=1",
     "who kept others waiting for locks; off until <code>weir::set_mutex_profile_fraction</code>"},
    {"/debug/pprof/profile?seconds=1", "pprof/profile?seconds=1",
     "CPU profile (30 seconds unless told otherwise)"},
    {"/debug/pprof/threadcreate?debug=1", "pprof/threadcreate?debug=1",
     "OS threads of the scheduler"},
    {"/debug/pprof/cmdline", "pprof/cmdline", "the command line, its arguments separated by NUL"},
    {"/debug/pprof/symbol", "pprof/symbol", "names of functions by address, for pprof"},
    {"/debug/leaks", "leaks",
     "who leaks: cause, evidence, where made, where stuck; also format=json; certainty=suspect, "
     "likely or certain, kind, limit"},
    {"/debug/trend", "trend", "goroutines over time, for each place where they wait; site, limit"},
    {"/debug/snapshots", "snapshots",
     "the snapshots that are kept; POST takes one now; id=N is that one"},
    {"/debug/diff", "diff?base=&amp;to=",
     "what changed between two of them, the first and the last unless told; also format=json, "
     "markdown, svg, png, dot; ignore, threshold, labels"},
    {"/debug/events", "events",
     "each look at the goroutines, and each change of the findings, as it comes"},
    {"/debug/graph?kind=calls", "graph?kind=calls",
     "who calls whom on the way to where goroutines are; also format=png, dot, json; focus, "
     "ignore, hide, show, nodecount, nodefraction, edgefraction, granularity as pprof's"},
    {"/debug/graph?kind=waits", "graph?kind=waits",
     "who waits for what, and who has it; deadlocks in red; <a "
     "href=\"/debug/graph?kind=waits&amp;format=text\">the same in words</a>"},
    {"/debug/sched", "sched",
     "goroutines by state, processors, queues, threads, stacks, how long goroutines wait for their "
     "turn; also format=json"},
    {"/metrics", "/metrics", "the same in numbers, for Prometheus"},
    {"/healthz", "/healthz", "answers ok while this server lives"},
};

constexpr const char* kHead =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>/debug/</title>\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    "body { font: 15px/1.5 system-ui, sans-serif; max-width: 46em; margin: 2em auto; padding: 0 "
    "1em; }\n"
    "td { padding: .15em 1em .15em 0; vertical-align: top; }\n"
    "td:first-child { white-space: nowrap; font-family: ui-monospace, monospace; }\n"
    "</style>\n</head>\n<body>\n<h1>weir</h1>\n";

}  // namespace

Answer index(const Query&) {
  Answer a;
  a.content_type = "text/html; charset=utf-8";
  a.body = kHead;
  a.body.append("<p>")
      .append(std::to_string(weir::num_goroutine()))
      .append(" goroutines</p>\n<table>\n");
  for (const Row& row : kRows) {
    if (row.name == kPage && page::files().empty()) continue;
    a.body.append("<tr><td><a href=\"").append(row.link).append("\">").append(row.name);
    a.body.append("</a></td><td>").append(row.what).append("</td></tr>\n");
  }
  a.body.append("</table>\n</body>\n</html>\n");
  return a;
}

}  // namespace weir::http::routes
