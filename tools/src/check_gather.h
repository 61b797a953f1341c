// Where the processes of a command leave their findings (WEIR_LEAKCHECK_REPORT), and what is there
// when it has ended.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <weir/profiler/report.h>

namespace weir::tools {

// A directory that is this user's alone; removed with all that is in it, whatever happens.
class PrivateDirectory {
 public:
  PrivateDirectory();  // throws Failure
  ~PrivateDirectory();
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;

  const std::string& path() const { return path_; }  // with a slash at its end

 private:
  std::string path_;
};

struct Gathered {
  profiler::Report report;
  size_t processes = 0;                 // that have left a report
  size_t silent = 0;                    // that have begun a run, and did not come to its end
  std::vector<std::string> unreadable;  // reports, and why
};

// Reads the reports of a directory: each process's as a whole. Throws Failure where the directory
// itself cannot be read.
Gathered gather(const std::string& directory);

}  // namespace weir::tools
