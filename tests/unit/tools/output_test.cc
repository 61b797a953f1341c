// Output: all of a file or nothing of it; readers that go away; disks that are full.

#include "output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "failure.h"
#include "printable.h"
#include "temporary.h"

namespace weir::tools {
namespace {

using profiler::Sink;
using testing::TemporaryDir;

std::string failure(const std::string& file, const std::function<void(const Sink&)>& write) {
  try {
    write_output(file, write);
  } catch (const Failure& e) {
    return e.what();
  }
  return "no failure";
}

const auto kHello = [](const Sink& sink) { sink("hello\n"); };

TEST(Output, AFileIsWholeAndHasTheModeOfOthers) {
  const TemporaryDir dir;
  const mode_t before = umask(022);
  write_output(dir.path("new"), kHello);
  umask(before);
  EXPECT_EQ(TemporaryDir::read(dir.path("new")), "hello\n");
  struct stat status {};
  ASSERT_EQ(stat(dir.path("new").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0644U);
  const std::string kept = dir.write("kept", "before");
  chmod(kept.c_str(), 0640);
  std::filesystem::create_symlink("kept", dir.path("link"));
  write_output(dir.path("link"), [](const Sink& sink) {
    for (int i = 0; i < 100'000; ++i) sink("0123456789");
    sink(std::string(1'000'000, 'x'));
  });
  EXPECT_EQ(TemporaryDir::read(kept).size(), 2'000'000U);
  EXPECT_TRUE(std::filesystem::is_symlink(dir.path("link")));
  ASSERT_EQ(stat(kept.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640U);
  EXPECT_EQ(dir.files(), 3U);
}

TEST(Output, AFailureLeavesWhatWasThere) {
  const TemporaryDir dir;
  const std::string file = dir.write("file", "before");
  EXPECT_EQ(failure(file,
                    [](const Sink& sink) {
                      sink(std::string(1 << 20, 'x'));
                      throw Failure("target", "gone");
                    }),
            "target: gone");
  EXPECT_EQ(TemporaryDir::read(file), "before");
  EXPECT_EQ(dir.files(), 1U);
}

TEST(Output, AnInterruptLeavesWhatWasThereAndNothingElse) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const TemporaryDir dir;
    const std::string file = dir.write("file", "before");
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
      write_output(file, [&ready](const Sink& sink) {
        sink(std::string(1 << 20, 'x'));
        [[maybe_unused]] const ssize_t n = write(ready[1], "x", 1);
        while (true) pause();
      });
      _exit(0);
    }
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    EXPECT_EQ(dir.files(), 2U);
    kill(child, signal);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    EXPECT_EQ(TemporaryDir::read(file), "before");
    EXPECT_EQ(dir.files(), 1U);
    close(ready[0]);
    close(ready[1]);
  }
}

TEST(Output, WhatCannotBeWrittenIsTold) {
  const TemporaryDir dir;
  EXPECT_EQ(failure(dir.path("no/such/dir"), kHello),
            dir.path("no/such/dir") + ": cannot be written: No such file or directory");
  EXPECT_EQ(failure(dir.path(""), kHello), dir.path("") + ": Is a directory");
  EXPECT_EQ(failure("/dev/full", kHello), "/dev/full: cannot be written: No space left on device");
  EXPECT_EQ(failure("/dev/null", kHello), "no failure");
}

TEST(Output, AReaderThatGoesAwayIsNoFailure) {
  const TemporaryDir dir;
  const std::string fifo = dir.path("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  std::thread reader([&fifo] {
    const int fd = open(fifo.c_str(), O_RDONLY | O_CLOEXEC);
    char byte = 0;
    EXPECT_EQ(read(fd, &byte, 1), 1);
    close(fd);
  });
  int calls = 0;
  EXPECT_EQ(failure(fifo,
                    [&calls](const Sink& sink) {
                      while (sink(std::string(100'000, 'x'))) ++calls;
                    }),
            "no failure");
  reader.join();
}

TEST(Printable, OneLineWithoutControlCharacters) {
  EXPECT_EQ(printable("a\nb\x1b[1m\xff caf\xc3\xa9"), "a\\nb\\x1b[1m\\xff caf\xc3\xa9");
  EXPECT_EQ(first_line("one\r\ntwo"), "one");
  EXPECT_EQ(first_line("h\xc3\xa9llo", 2), "h..");
  EXPECT_EQ(bytes_text(1), "1 byte");
  EXPECT_EQ(bytes_text(1023), "1023 bytes");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(size_t{4} << 30), "4.0 GiB");
}

}  // namespace
}  // namespace weir::tools
