#include "modules.h"

#include <link.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstddef>
#include <utility>

#include "elf_files.h"

namespace weir::profiler {

namespace {

constexpr const char* kSelf = "/proc/self/exe";

uintptr_t page_floor(uintptr_t address) {
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  return address & ~(page - 1);
}
uintptr_t page_ceil(uintptr_t address) {
  return page_floor(address + static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)) - 1);
}

struct Segment {
  uintptr_t start, limit, offset;  // in whole pages
};

struct Loaded {
  std::string name;      // as the dynamic linker has it; kSelf for the program
  std::string build_id;  // raw bytes
  uintptr_t start = UINTPTR_MAX, limit = 0;
  bool vdso = false;
  std::vector<Segment> executable;
};

struct Loads {
  std::vector<Loaded> objects;
  unsigned long long loads = 0, unloads = 0;
};

Loaded describe(const dl_phdr_info& info, bool first) {
  Loaded o;
  o.name = first ? kSelf : info.dlpi_name;
  for (size_t i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr)& p = info.dlpi_phdr[i];
    const uintptr_t at = info.dlpi_addr + p.p_vaddr;
    if (p.p_type == PT_LOAD) {
      o.start = std::min(o.start, page_floor(at));
      o.limit = std::max(o.limit, page_ceil(at + p.p_memsz));
      if ((p.p_flags & PF_X) != 0) {
        o.executable.push_back({page_floor(at), page_ceil(at + p.p_memsz), page_floor(p.p_offset)});
      }
    } else if (p.p_type == PT_NOTE && o.build_id.empty()) {
      o.build_id = build_id_in({reinterpret_cast<const std::byte*>(at), p.p_memsz}, p.p_align);
    }
  }
  o.vdso = o.start == getauxval(AT_SYSINFO_EHDR);
  return o;
}

Loads current_loads(bool counts_only) {
  struct Context {
    Loads loads;
    bool counts_only, first;
  } context{{}, counts_only, true};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* arg) {
        auto* c = static_cast<Context*>(arg);
        c->loads.loads = info->dlpi_adds;
        c->loads.unloads = info->dlpi_subs;
        if (c->counts_only) return 1;
        Loaded o = describe(*info, std::exchange(c->first, false));
        if (o.start < o.limit) c->loads.objects.push_back(std::move(o));
        return 0;
      },
      &context);
  return std::move(context.loads);
}

std::string executable_path() {
  std::array<char, PATH_MAX> path;
  const ssize_t n = readlink(kSelf, path.data(), path.size());
  return n > 0 ? std::string(path.data(), static_cast<size_t>(n)) : std::string(kSelf);
}

}  // namespace

struct Modules::Object {
  std::string path, build_id;
  uintptr_t start, limit;
  bool vdso;
};

const Dwfl_Callbacks Modules::kCallbacks = {
    .find_elf = &Modules::find_elf,
    // By build id or not at all: the other ways may ask a server on the network.
    .find_debuginfo = dwfl_build_id_find_debuginfo,
    .section_address = nullptr,
    .debuginfo_path = nullptr,
};

int Modules::find_elf(Dwfl_Module*, void** userdata, const char*, Dwarf_Addr, char** file_name,
                      Elf** elf) {
  const auto* object = static_cast<const Object*>(*userdata);
  if (!object) return -1;
  if (object->vdso) {
    *elf = vdso_image(reinterpret_cast<char*>(object->start), object->limit - object->start);
    return -1;
  }
  return open_elf(object->path, object->build_id, file_name, elf);
}

Modules::Modules() : dwfl_(dwfl_begin(&kCallbacks)) { elf_version(EV_CURRENT); }

Modules::~Modules() {
  if (dwfl_) dwfl_end(dwfl_);
}

bool Modules::refresh() {
  if (!dwfl_) return false;
  const Loads counts = current_loads(true);
  if (counts.loads == loads_ && counts.unloads == unloads_) return false;
  Loads now = current_loads(false);
  const bool unloaded = now.unloads != unloads_;
  loads_ = now.loads;
  unloads_ = now.unloads;

  // An object that stayed is reported again under the same name and range, and keeps what was read.
  dwfl_report_begin(dwfl_);
  std::vector<std::unique_ptr<Object>> objects;
  for (Loaded& o : now.objects) {
    // The name tells apart two objects that were loaded at the same place one after the other.
    const std::string name = o.name + " " + to_hex(o.build_id);
    Dwfl_Module* module = dwfl_report_module(dwfl_, name.c_str(), o.start, o.limit);
    void** userdata = nullptr;
    if (!module || !dwfl_module_info(module, &userdata, nullptr, nullptr, nullptr, nullptr, nullptr,
                                     nullptr)) {
      continue;
    }
    objects.push_back(std::make_unique<Object>(
        Object{std::move(o.name), std::move(o.build_id), o.start, o.limit, o.vdso}));
    *userdata = objects.back().get();
  }
  dwfl_report_end(dwfl_, nullptr, nullptr);
  objects_ = std::move(objects);
  return unloaded;
}

Dwfl_Module* Modules::find(uintptr_t address) {
  return dwfl_ ? dwfl_addrmodule(dwfl_, address) : nullptr;
}

std::vector<Mapping> Modules::mappings() {
  std::vector<Mapping> all;
  const Loads now = current_loads(false);
  for (const Loaded& o : now.objects) {
    for (const Segment& s : o.executable) {
      Mapping m{s.start, s.limit, s.offset, o.name, to_hex(o.build_id)};
      if (o.vdso) m.file = "[vdso]";
      if (o.name == kSelf) m.file = executable_path();
      all.push_back(std::move(m));
    }
  }
  if (all.empty()) return all;
  // The dynamic linker lists the program first.
  const std::string program = all.front().file;
  std::sort(all.begin(), all.end(), [&](const Mapping& a, const Mapping& b) {
    return std::pair(a.file != program, a.start) < std::pair(b.file != program, b.start);
  });
  return all;
}

}  // namespace weir::profiler
