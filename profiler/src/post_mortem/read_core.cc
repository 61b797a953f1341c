// read_core: a core file -> Snapshot.

#include <fcntl.h>

#include <weir/profiler/error.h>
#include <weir/profiler/post_mortem.h>

#include "../elf_files.h"
#include "../roomy_stack.h"
#include "core_file.h"
#include "foreign_modules.h"
#include "process_stop.h"
#include "reader.h"

namespace weir::profiler {

namespace {

using namespace post_mortem;

// The program is the one that wrote the core, or it is refused: its code explains the stacks.
void check_program(const ForeignModules& modules, const std::string& exe) {
  const ForeignModules::Object* program = modules.program();
  if (!program) {
    throw error(
        "it does not tell which program it is of, and what that had mapped (no NT_FILE or NT_AUXV "
        "note): damaged, or not of Linux");
  }
  std::string found;
  try {
    found = build_id_of_file(program->file);
  } catch (const error& e) {
    if (!exe.empty()) throw;
    throw error(std::string("its program is not to be had (") + e.what() + "): name it by --exe");
  }
  if (found == program->build_id) return;
  const auto id = [](const std::string& bytes) {
    return bytes.empty() ? std::string("none") : to_hex(bytes);
  };
  throw error("it is of another program than " + program->file + " (build id " +
              id(program->build_id) + ", not " + id(found) +
              "): " + (exe.empty() ? "name the right one by --exe" : "it was of " + program->path));
}

// What the core has left out since it is in files.
void back_by_files(CoreFile& core, const ForeignModules& modules) {
  for (const auto& object : modules.objects()) {
    if (!object->vdso.empty()) continue;
    try {
      if (build_id_of_file(object->file) != object->build_id) continue;
    } catch (const error&) {
      continue;  // a library that is not here
    }
    for (const MappedFile& file : core.image().files) {
      if (file.path != object->path || file.start < object->start || file.limit > object->limit) {
        continue;
      }
      const int fd = open(object->file.c_str(), O_RDONLY | O_CLOEXEC);
      if (fd >= 0) core.back_by_file(file.start, file.limit, file.offset, fd);
    }
  }
}

Snapshot read(const std::string& path, const std::string& exe) {
  const int64_t start = steady_ns();
  CoreFile core(path);
  ForeignModules modules(core.image(), core, [&](const MappedFile& file, bool program) {
    return program && !exe.empty() ? exe : file.path;
  });
  check_program(modules, exe);
  back_by_files(core, modules);
  modules.report();
  Reader reader(modules, core);
  reader.read_still(core.image().threads);
  const int64_t end = steady_ns();

  Snapshot s = reader.finish();
  s.taken_at_ns = core.written_at_ns();
  s.duration_ns = end - start;
  const std::string& program = modules.program()->path;
  s.process = program.substr(program.rfind('/') + 1);
  s.pid = core.image().pid;
  s.source = "weir";
  s.truncated = core.cut() || reader.incomplete();
  return s;
}

}  // namespace

Snapshot read_core(const std::string& core, const std::string& exe) {
  try {
    return on_roomy_stack([&] { return read(core, exe); });
  } catch (const error& e) {
    throw error(core + ": " + e.what());
  }
}

}  // namespace weir::profiler
