// How a program that uses weir describes itself to those who read it from outside, with or without
// its cooperation and with or without debug information: core files, /proc/PID/mem, debuggers.
//
// Every program has an ELF note (section .note.weir, in a PT_NOTE segment, so that strip keeps it):
// owner "weir", type kNoteType, whose description is 8 bytes: the signed distance from the
// description itself to a Layout, in the program's memory. (Its symbol, where there are symbols, is
// weir_layout.) The Layout is followed by three arrays; all that is in them is put there by the
// compiler (offsetof, sizeof, &), so it cannot be wrong about the program that it is part of.
//
// A reader looks things up by name, and so can read programs of other versions of weir: what he
// needs and does not find has been renamed or is gone, and he must say so. Names are never used
// again for something else. What the things mean is told where they are declared, in runtime/src:
//   runtime2.h (G, M, sudog), stack_chunk.h (Chunk; where the Gs are), switch.h (the registers of
//   one that does not run), hchan.h, netpoll.h (io_info), labels.h, context.h, clock.h.
//
// How to find all goroutines, in short:
//   for c in 0 .. *nchunks - 1: Chunk at chunks + c * Chunk.size
//     for i in 0 .. Chunk.used - 1, but those whose bit is set in the words at Chunk.cold:
//       G at  base + i * stride                                           class kThreadClass
//             base + (i + 1) * stride - G.size - kSpreadBytes * (i % kSpreads)        any other
//       none is there where G.status is Gidle or Gdead
// Where it stands, unless it is Grunning (or a thread) or Gsyscall (then G.syscall_pc, _sp, _fp):
//   pc = word at G.sp + kSavedPc, fp = word at G.sp + kSavedFp, sp = G.sp + kSavedSize
#pragma once

#include <cstdint>

namespace weir::post_mortem {

inline constexpr char kNoteOwner[] = "weir";
inline constexpr uint32_t kNoteType = 1;
inline constexpr char kMagic[8] = {'w', 'e', 'i', 'r', 'l', 'a', 'y', '1'};

// A number. "G.status": the offset of a member in bytes; "G.size": of a type; others: constants.
struct Entry {
  char name[40];
  int64_t value;
};

// A variable: "nchunks".
struct Global {
  char name[40];
  const void* address;
};

// The text that dumps show for a value of an enumeration: {"WaitReason", 4, "select"}.
struct Word {
  char of[16];
  int64_t value;
  char text[40];
};

struct Array {
  uint32_t at;     // bytes from the Layout
  uint32_t count;  // of elements
  uint32_t size;   // of one, in bytes; later versions may append members
};

struct Layout {
  char magic[8];
  uint32_t bytes;  // of all: this and the arrays
  Array entries, globals, words;
};

}  // namespace weir::post_mortem
