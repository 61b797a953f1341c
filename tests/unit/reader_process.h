// For tests that let other people's tools read what we write: runs a writer into text, and a tool
// over a file. A tool that is not installed fails the test.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <weir/profiler/encode.h>

namespace weir::profiler::testing {

// All that a writer writes.
template <class Writer, class Value>
std::string written(Writer writer, const Value& s) {
  std::string all;
  EXPECT_TRUE(writer(s, [&all](std::string_view piece) {
    all.append(piece);
    return true;
  }));
  return all;
}

class ReaderProcess {
 public:
  ReaderProcess() {
    std::string name = (std::filesystem::temp_directory_path() / "weir-test-XXXXXX").string();
    if (::mkdtemp(name.data())) dir_ = name;
  }
  ~ReaderProcess() {
    std::error_code ignored;
    if (!dir_.empty()) std::filesystem::remove_all(dir_, ignored);
  }
  ReaderProcess(const ReaderProcess&) = delete;
  ReaderProcess& operator=(const ReaderProcess&) = delete;

  // What `tool` (with its arguments) prints, stderr included, when it is given a file with
  // `content`. Fails the test unless it ends with status 0.
  std::string read(const std::string& tool, std::string_view content) const {
    if (dir_.empty()) {
      ADD_FAILURE() << "no temporary directory";
      return {};
    }
    const std::string program = tool.substr(0, tool.find(' '));
    if (run("command -v " + program).status != 0) {
      ADD_FAILURE() << program << " is not installed: run tools/setup --tests";
      return {};
    }
    std::ofstream(dir_ / "input", std::ios::binary) << content;
    const Result r = run(tool + " '" + (dir_ / "input").string() + "' 2>&1");
    EXPECT_EQ(r.status, 0) << tool << " printed:\n" << r.output;
    return r.output;
  }

 private:
  struct Result {
    int status;  // of exit; -1: could not be run, or died
    std::string output;
  };

  // With a home of its own: `go tool` writes to its home and cache.
  Result run(const std::string& command) const {
    const std::string dir = "'" + dir_.string() + "'";
    const std::string line = "export HOME=" + dir + " GOCACHE=" + dir +
                             "/cache PPROF_TMPDIR=" + dir +
                             " GOFLAGS= GOTOOLCHAIN=local NO_COLOR=1; " + command;
    FILE* pipe = ::popen(line.c_str(), "r");
    if (!pipe) return {-1, {}};
    Result r{-1, {}};
    char buffer[4096];
    for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
      r.output.append(buffer, n);
    const int status = ::pclose(pipe);
    if (status != -1 && WIFEXITED(status)) r.status = WEXITSTATUS(status);
    return r;
  }

  std::filesystem::path dir_;
};

}  // namespace weir::profiler::testing
