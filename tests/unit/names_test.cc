// Readable names: manglings as g++ 12 and clang 16 write them.
#include "names.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::profiler {
namespace {

struct Case {
  const char* from;
  const char* readable;
};

void PrintTo(const Case& c, std::ostream* os) { *os << c.from; }

class NamesOfSymbols : public testing::TestWithParam<Case> {};

TEST_P(NamesOfSymbols, AreReadable) {
  EXPECT_EQ(names::from_symbol(GetParam().from), GetParam().readable);
}

INSTANTIATE_TEST_SUITE_P(
    Functions, NamesOfSymbols,
    testing::Values(
        // C, and what compilers add to names
        Case{"main", "main"}, Case{"qsort", "qsort"},
        Case{"msort_with_tmp.part.0", "msort_with_tmp"}, Case{"work.cold", "work"},
        Case{".hidden", ".hidden"}, Case{"_ZN3zoo12_GLOBAL__N_14anonEi.constprop.0", "zoo::anon"},
        Case{"_ZN3zoo4leakEv.isra.0.cold", "zoo::leak"},
        // parameters, qualifiers, return types
        Case{"_ZN3zoo16nil_chan_receiveEv", "zoo::nil_chan_receive"}, Case{"_Z4sinkPKv", "sink"},
        Case{"_ZNK3Foo3getEv", "Foo::get"}, Case{"_ZNKR3Foo3getEv", "Foo::get"},
        Case{"_Z3addIiET_S0_S0_", "add<int>"}, Case{"_Z3fooIiEPFvdEi", "foo<int>"},
        Case{"_Z4pickIiENSt9enable_ifIXsrSt11is_integralIT_E5valueES2_E4typeES2_", "pick<int>"},
        Case{"_ZN1AC1Ev", "A::A"}, Case{"_ZN1AD0Ev", "A::~A"}, Case{"_ZThn8_N1B1fEv", "B::f"},
        // anonymous namespaces and ABI tags
        Case{"_ZN12_GLOBAL__N_11fEv", "f"}, Case{"_Z4textB5cxx11v", "text"},
        Case{"_ZNKSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE4sizeEv",
             "std::string::size"}));

INSTANTIATE_TEST_SUITE_P(
    Operators, NamesOfSymbols,
    testing::Values(Case{"_ZN1AclEv", "A::operator()"}, Case{"_ZltRK1AS1_", "operator<"},
                    Case{"_ZlsRSoRK1A", "operator<<"}, Case{"_ZssRK1AS1_", "operator<=>"},
                    Case{"_ZN1AptEv", "A::operator->"}, Case{"_ZN1AixEi", "A::operator[]"},
                    Case{"_Znwm", "operator new"}, Case{"_ZdaPv", "operator delete[]"},
                    Case{"_ZNK1AcvbEv", "A::operator bool"},
                    Case{"_ZNK1AcvSt6vectorIiSaIiEEEv", "A::operator std::vector<int>"},
                    Case{"_Zli3_kmy", "operator\"\"_km"},
                    Case{"_ZN1AlsIiEEvT_", "A::operator<<<int>"}));

INSTANTIATE_TEST_SUITE_P(
    Lambdas, NamesOfSymbols,
    testing::Values(
        // g++
        Case{"_ZZN3zoo16nil_chan_receiveEvENKUlvE_clEv", "zoo::nil_chan_receive::lambda"},
        Case{"_ZZN3zoo16nil_chan_receiveEvENKUlvE0_clEv", "zoo::nil_chan_receive::lambda#2"},
        Case{"_ZZ4mainENKUliE1_clEi", "main::lambda#3"},
        Case{"_ZZ4mainENUliE_4_FUNEi", "main::lambda"},
        Case{"_ZZ4mainENKUlT_E_clIiEEDaS_", "main::lambda"},
        Case{"_ZZZ4mainENKUlvE_clEvENKUlvE_clEv", "main::lambda::lambda"},
        Case{"_ZZNK3Foo3barEvENKUlvE_clEv", "Foo::bar::lambda"},
        Case{"_ZN4weir6detail6invokeIZN3zoo4leakEvEUlvE0_EEvPv",
             "weir::detail::invoke<zoo::leak::lambda#2>"},
        // clang
        Case{"_ZZN3zoo3nilEvENK3$_0clEv", "zoo::nil::lambda"},
        Case{"_ZZN3zoo3nilEvENK3$_1clEv", "zoo::nil::lambda#2"},
        Case{"_ZN3zoo4callIZNS_3nilEvE3$_1EEvT_", "zoo::call<zoo::nil::lambda#2>"},
        Case{"_ZZ4mainEN3$_08__invokeEi", "main::lambda"},
        // a local class
        Case{"_ZZN3zoo3nilEvEN2In2goEv", "zoo::nil::In::go"}));

INSTANTIATE_TEST_SUITE_P(
    Templates, NamesOfSymbols,
    testing::Values(
        Case{"_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int>::push_back"},
        Case{"_ZNSt6vectorINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEESaIS5_EE4sizeEv",
             "std::vector<std::string>::size"},
        Case{"_ZNSt3mapIiiSt4lessIiESaISt4pairIKiiEEE4findERS3_", "std::map<int, int>::find"},
        Case{"_ZNSt10unique_ptrI3FooSt14default_deleteIS0_EE5resetEPS0_",
             "std::unique_ptr<Foo>::reset"},
        // the user's own templates keep what they were given
        Case{"_ZN3BoxIiSaIiEE3putEi", "Box<int, std::allocator<int>>::put"},
        Case{"_ZNSt8functionIFvivEEclEi", "std::function<void (int, void)>::operator()"},
        Case{"_ZN4weir4chanIiE4sendEi", "weir::chan<int>::send"}));

TEST(Names, OfDebugInformation) {
  EXPECT_EQ(names::from_source("call<zoo::nil()::<lambda()> >"), "call<zoo::nil::lambda>");
  EXPECT_EQ(names::from_source("call<(lambda at t.cc:11:35)>"), "call<lambda>");
  EXPECT_EQ(names::from_source("zoo::inl"), "zoo::inl");
  EXPECT_EQ(names::from_source("operator bool"), "operator bool");
  EXPECT_EQ(names::from_source("~Guard"), "~Guard");
}

// What does not parse, or is hostile, is still one line of bounded length.
TEST(Names, NeverEmptyNeverLongNeverTwoLines) {
  EXPECT_EQ(names::from_symbol(""), "?");
  EXPECT_EQ(names::from_symbol("_Znonsense"), "_Znonsense");
  EXPECT_EQ(names::from_symbol("a\nb\tc"), "a?b?c");
  EXPECT_EQ(names::from_source("f<g<h("), "f<g<h(");
  EXPECT_EQ(names::from_source("{lambda("), "{lambda(");
  EXPECT_LE(names::from_symbol(std::string(100'000, 'x')).size(), names::kMaxName);
  EXPECT_LE(names::from_source(std::string(100'000, '<')).size(), names::kMaxName);
  EXPECT_LE(names::from_source("f" + std::string(100'000, '(')).size(), names::kMaxName);
  std::string deep;  // f<A<A<...>>>
  for (int i = 0; i < 3000; ++i) deep += "A<";
  deep += "int" + std::string(3000, '>');
  EXPECT_LE(names::from_source(deep).size(), names::kMaxName);
}

TEST(Names, NoCharacterIsCutInTwo) {
  std::string name(names::kMaxName - 4, 'x');
  name += "\u00e9\u00e9\u00e9";
  const std::string cut = names::from_symbol(name);
  EXPECT_EQ(cut, std::string(names::kMaxName - 4, 'x') + "...");
}

TEST(Names, TellTheRuntimeFromTheUser) {
  EXPECT_TRUE(names::is_runtime("weir::rt::gopark"));
  EXPECT_TRUE(names::is_runtime("weir::chan<int>::recv"));
  EXPECT_TRUE(names::is_runtime("weir::detail::invoke<zoo::leak::lambda>"));
  EXPECT_TRUE(names::is_runtime("weir_gostart"));
  EXPECT_FALSE(names::is_runtime("zoo::leak"));
  EXPECT_FALSE(names::is_runtime("weirdo::f"));
  EXPECT_FALSE(names::is_runtime("weir::http::DebugServer::url"));
  EXPECT_FALSE(names::is_runtime("weir::profiler::capture"));
  EXPECT_FALSE(names::is_runtime("weir::testing::settle"));
}

}  // namespace
}  // namespace weir::profiler
