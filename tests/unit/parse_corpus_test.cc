// Every fixture and every file of the fuzz corpus through the property of the fuzz targets.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "round_trip.h"

namespace {

using namespace weir::profiler;

// How many files there are; all of them are put to every reader.
size_t check_all(const std::filesystem::path& dir) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (!entry.is_regular_file()) continue;
    ++files;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    for (fuzz::Reader* reader : {&parse, &parse_debug1, &parse_debug2, &parse_pprof, &parse_json}) {
      EXPECT_EQ(fuzz::broken(*reader, bytes), "") << entry.path().filename();
    }
  }
  return files;
}

TEST(ParseCorpus, FixturesAreReadAndWrittenToTheSame) { EXPECT_GE(check_all(WEIR_FIXTURES), 9U); }
TEST(ParseCorpus, FuzzCorpusIsReadAndWrittenToTheSame) { EXPECT_GE(check_all(WEIR_CORPUS), 1U); }

}  // namespace
