// Names of functions as a person wants to read them in a dump.
//
//   _ZZN3zoo16nil_chan_receiveEvENKUlvE_clEv              -> zoo::nil_chan_receive::lambda
//   _ZN4weir6detail6invokeIZN3zoo4leakEvEUlvE0_EEvPv       ->
//   weir::detail::invoke<zoo::leak::lambda#2> _ZNSt6vectorISsSaISsEE9push_backERKSs ->
//   std::vector<std::string>::push_back
//
// Left out: parameter lists, return types, anonymous namespaces, ABI tags and namespaces,
// compilers' clone suffixes, and the arguments that std templates have by default. A name is one
// line, at most kMaxName bytes, and never empty. Pure functions; names come from object files and
// are not trusted.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::profiler::names {

inline constexpr size_t kMaxName = 1000;

// The readable form of a symbol of the linker: a mangled C++ name, or any other.
std::string from_symbol(std::string_view symbol);

// The readable form of a C++ name as it stands in debug information, which spells lambdas
// differently
// ("<lambda(int)>", "(lambda at f.cc:3:5)") and may have template arguments.
std::string from_source(std::string_view name);

// Is the function one of weir's own (as opposed to the user's), by its readable name?
bool is_runtime(std::string_view readable) noexcept;

}  // namespace weir::profiler::names
