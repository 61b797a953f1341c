#include "profile_routes.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <weir/profiler/capture.h>
#include <weir/profiler/cpu_profile.h>
#include <weir/profiler/profile.h>
#include <weir/profiler/symbol.h>

#include "answers.h"
#include "params.h"

namespace weir::http::routes {

namespace {

using profiler::Profile;

constexpr int64_t kDefaultSeconds = 30, kMaxSeconds = 3600;

Answer too_long() { return pprof_failure(400, "profile duration exceeds server's WriteTimeout"); }

// Until the time is over, or nobody wants it any more.
void wait_for(int64_t seconds, const std::function<bool()>& wanted) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kLook{100};
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  while (Clock::now() < end && wanted()) {
    std::this_thread::sleep_for(std::min<Clock::duration>(kLook, end - Clock::now()));
  }
}

using Writer = bool (*)(const Profile&, const profiler::Sink&);

Profile take_creation() {
  return profiler::creation_profile(profiler::capture({.detail = profiler::Detail::groups}));
}

}  // namespace

Answer profile(const char* name, const Query& q, std::function<Profile()> take) {
  Answer a;
  auto profile = std::make_shared<Profile>();
  const int64_t debug = parse_int(q.param("debug")).value_or(0);
  const std::string seconds = q.param("seconds");
  a.attachment = debug != 0 ? "" : name;
  if (!seconds.empty()) {
    const auto n = parse_int(seconds);
    if (!n || *n <= 0) {
      return pprof_failure(400, "invalid value for \"seconds\" - must be a positive integer");
    }
    if (debug != 0) return pprof_failure(400, "seconds and debug params are incompatible");
    if (*n > kMaxSeconds) return too_long();
    auto before = std::make_shared<const Profile>(take());
    a.wait = [profile, take = std::move(take), n = *n,
              before = std::move(before)](const std::function<bool()>& wanted) {
      wait_for(n, wanted);
      if (wanted()) *profile = profiler::delta(*before, take());
    };
    a.attachment += "-delta";
  } else {
    *profile = take();
  }
  const Writer writer = debug != 0 ? Writer{profiler::write_debug1} : Writer{profiler::write_pprof};
  a.write = [profile, writer](const profiler::Sink& sink) { return writer(*profile, sink); };
  a.content_type = debug != 0 ? kText : "application/octet-stream";
  return a;
}

Answer block(const Query& q) { return profile("block", q, profiler::block_profile); }
Answer mutex(const Query& q) { return profile("mutex", q, profiler::mutex_profile); }
Answer threadcreate(const Query& q) {
  return profile("threadcreate", q, profiler::threadcreate_profile);
}
Answer creation(const Query& q) { return profile("creation", q, take_creation); }

Answer cpu(const Query& q) {
  int64_t seconds = parse_int(q.param("seconds")).value_or(0);
  if (seconds <= 0) seconds = kDefaultSeconds;
  if (seconds > kMaxSeconds) return too_long();
  std::shared_ptr<profiler::CpuProfiler> running;
  try {
    running = std::make_shared<profiler::CpuProfiler>();
  } catch (const std::runtime_error& e) {
    return pprof_failure(500, std::string("Could not enable CPU profiling: ") + e.what());
  }
  Answer a;
  auto profile = std::make_shared<Profile>();
  a.wait = [running, profile, seconds](const std::function<bool()>& wanted) {
    wait_for(seconds, wanted);
    *profile = running->stop();
  };
  a.write = [profile](const profiler::Sink& sink) { return profiler::write_pprof(*profile, sink); };
  a.content_type = "application/octet-stream";
  a.attachment = "profile";
  return a;
}

Answer cmdline(const Query&) {
  constexpr size_t kMaxBytes = size_t{1} << 20;
  Answer a;
  a.content_type = kText;
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  a.body.resize(kMaxBytes);
  file.read(a.body.data(), static_cast<std::streamsize>(kMaxBytes));
  a.body.resize(static_cast<size_t>(file.gcount()));
  if (a.body.ends_with('\0')) a.body.pop_back();  // the kernel ends each argument with one
  return a;
}

Answer symbol(const Query& q) {
  std::vector<uint64_t> pcs;
  std::string_view rest = q.data;
  while (!rest.empty()) {
    const size_t plus = std::min(rest.find('+'), rest.size());
    std::string_view word = rest.substr(0, plus);
    rest.remove_prefix(std::min(plus + 1, rest.size()));
    const bool is_hex = word.starts_with("0x") || word.starts_with("0X");
    if (is_hex) word.remove_prefix(2);
    uint64_t pc = 0;
    const auto [at, err] = std::from_chars(word.begin(), word.end(), pc, is_hex ? 16 : 10);
    if (err == std::errc() && at == word.end() && pc != 0) pcs.push_back(pc);
  }
  Answer a;
  a.content_type = kText;
  a.body = "num_symbols: 1\n";  // pprof asks whether it is 0
  const std::vector<std::string> names = profiler::function_names(pcs);
  for (size_t i = 0; i < pcs.size(); ++i) {
    if (names[i].empty()) continue;
    char digits[16];
    char* end = std::to_chars(digits, digits + sizeof digits, pcs[i], 16).ptr;
    a.body.append("0x").append(digits, end).append(" ").append(names[i]).append("\n");
  }
  return a;
}

}  // namespace weir::http::routes
