// The one definition of the options, and what is made from it: help, completions, manual.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "cli_model.h"
#include "command.h"
#include "scripts.h"

namespace weir::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class CliTest : public ::testing::Test {
 protected:
  CliTest() { add_all(weir, action); }
  CommandModel model() const { return model_of(weir, "weir"); }
  CLI::App weir;
  Action action;
};

// As troff writes it.
std::string in_troff(const std::string& text) {
  std::string to;
  for (const char c : text) to += c == '-' ? std::string("\\-") : std::string(1, c);
  return to;
}

TEST_F(CliTest, EveryOptionOfEveryCommandIsInHelpManualAndCompletions) {
  const CommandModel m = model();
  ASSERT_GE(m.commands.size(), 8U);
  const std::string man = manual(m, "weir 1");
  const std::string bash = bash_completion(m), zsh = zsh_completion(m), fish = fish_completion(m);
  for (const CommandModel& c : m.commands) {
    CLI::App* const sub = weir.get_subcommand(c.last_word());
    const std::string help = sub->help("weir");
    EXPECT_THAT(help, HasSubstr("Usage: " + c.usage() + "\n"));
    EXPECT_THAT(weir.help(), HasSubstr("\n  " + c.last_word() + " "));
    EXPECT_THAT(man, HasSubstr(".SS " + in_troff(c.usage()) + "\n"));
    const size_t in_man = man.find(".SS " + in_troff(c.usage()) + "\n");
    const std::string section = man.substr(in_man, man.find("\n.SS ", in_man) - in_man);
    for (const CLI::Option* const o : sub->get_options()) {
      if (o->get_positional()) {
        EXPECT_THAT(help, HasSubstr("\n  " + o->get_name(true) + " "));
        continue;
      }
      for (const std::string& name : o->get_lnames()) {
        const std::string where = c.name + " --" + name;
        EXPECT_THAT(help, HasSubstr("--" + name)) << where;
        EXPECT_THAT(section, HasSubstr("\\fB\\-\\-" + in_troff(name) + "\\fR")) << where;
        EXPECT_THAT(fish,
                    ::testing::ContainsRegex("_from " + c.last_word() + "'.* -l " + name + " "))
            << where;
        EXPECT_THAT(bash,
                    ::testing::ContainsRegex("    " + c.last_word() + "\\) .*--" + name + "[ =\"]"))
            << where;
        const size_t in_zsh = zsh.find("        " + c.last_word() + ")\n");
        ASSERT_NE(in_zsh, zsh.npos) << where;
        EXPECT_THAT(zsh.substr(in_zsh, zsh.find("\n          ;;", in_zsh) - in_zsh),
                    HasSubstr("--" + name))
            << where;
      }
    }
  }
}

TEST_F(CliTest, EveryCommandSaysWhatItIsForAndHasHelpAndVersion) {
  for (const CommandModel& c : model().commands) {
    EXPECT_FALSE(c.summary.empty()) << c.name;
    EXPECT_LT(c.summary.size(), 100U) << c.name;
    std::set<std::string> names;
    for (const OptionModel& o : c.options) {
      names.insert(o.names.begin(), o.names.end());
      EXPECT_FALSE(o.description.empty()) << c.name << " " << o.names.front();
    }
    EXPECT_TRUE(names.contains("--help") && names.contains("-h")) << c.name;
    EXPECT_TRUE(names.contains("--version")) << c.name;
  }
}

TEST(CliModel, IsReadFromTheApp) {
  CLI::App app("First line\nThe rest.\n\nMore.", "app");
  std::string text, file, word;
  std::vector<std::string> many;
  app.add_option("-o,--output", file, "Where")->type_name("FILE");
  app.add_option("--format", word, "Which")->check(CLI::IsMember({"b", "a"}))->default_str("b");
  app.add_option("--token", text, "Who")->envname("APP_TOKEN")->type_name("TOKEN");
  app.add_option("--hidden", text, "Not for you")->group("");
  app.add_option("TARGET", many, "What")->required();
  const CommandModel m = model_of(app, "app");
  EXPECT_EQ(m.summary, "First line");
  EXPECT_EQ(m.details, "The rest.\n\nMore.");
  EXPECT_EQ(m.usage(), "app [OPTIONS] TARGET...");
  ASSERT_EQ(m.options.size(), 4U);  // with --help
  EXPECT_EQ(m.options[1].heading(), "-o, --output=FILE");
  EXPECT_TRUE(m.options[1].is_file);
  EXPECT_EQ(m.options[2].heading(), "--format=b|a");
  EXPECT_THAT(m.options[2].choices, ElementsAre("b", "a"));
  EXPECT_EQ(m.options[2].description, "Which (default b)");
  EXPECT_EQ(m.options[3].description, "Who (environment APP_TOKEN)");
  ASSERT_EQ(m.arguments.size(), 1U);
  EXPECT_TRUE(m.arguments[0].is_repeated && m.arguments[0].is_file && m.arguments[0].is_required);
}

TEST(CliModel, Wraps) {
  EXPECT_EQ(wrapped("one two three", 2, 10), "  one two\n  three\n");
  EXPECT_EQ(wrapped("a\n\n  as it is, however long\nb", 0, 5),
            "a\n\n  as it is, however long\nb\n");
  EXPECT_EQ(wrapped("longerthanthat x", 1, 5), " longerthanthat\n x\n");
}

TEST(Scripts, WhatADescriptionHoldsIsQuoted) {
  CommandModel sub;
  sub.name = "weir x";
  sub.summary = "it's `a` $(b) [c]: \"d\" \\e";
  sub.options.push_back({{"--opt"}, "FILE", {}, ".it's [x]: $(y) `z` \\n"});
  CommandModel m;
  m.name = "weir";
  m.commands.push_back(sub);
  EXPECT_THAT(zsh_completion(m), HasSubstr(R"('x:it'\''s `a` $(b) [c]\: "d" \\e')"));
  EXPECT_THAT(zsh_completion(m), HasSubstr(R"([.it'\''s \[x\]\: $(y) `z` \\n])"));
  EXPECT_THAT(fish_completion(m), HasSubstr(R"(-d 'it\'s `a` $(b) [c]: "d" \\e')"));
  EXPECT_THAT(bash_completion(m), Not(HasSubstr("$(y)")));
  EXPECT_THAT(manual(m, "weir 1"), HasSubstr("\n\\&.it\\(aqs [x]: $(y) \\(gaz\\(ga \\en\n"));
}

// The exit status, and what is on stderr.
std::pair<int, std::string> run(std::vector<const char*> words) {
  words.insert(words.begin(), "weir");
  ::testing::internal::CaptureStderr();
  const int status = run_command(static_cast<int>(words.size()), words.data());
  return {status, ::testing::internal::GetCapturedStderr()};
}

TEST(Command, WrongUsageIsOneLineAndStatus2) {
  struct Case {
    std::vector<const char*> words;
    const char* expected;
  };
  for (const Case& c : {
           Case{{}, "weir: weir: a command is missing; see weir --help\n"},
           Case{{"dmup"}, "weir: dmup: weir knows no such command; see weir --help\n"},
           Case{{"--tok"}, "weir: --tok: weir knows no such option; see weir --help\n"},
           Case{{"dump"}, "weir: dump: name one of TARGET, --core and --pid\n"},
           Case{{"dump", "a", "b"}, "weir: b: weir dump knows no such argument; see weir dump"},
           Case{{"dump", "a", "--colour"}, "weir: --colour: weir dump knows no such option;"},
           Case{{"dump", "a", "--format=xml"}, "weir: --format: xml not in {pprof,pprof3,debug1,"},
           Case{{"dump", "a", "--timeout=0"},
                "weir: --timeout: expected a number from 0.001 to 86400"},
           Case{{"dump", "a", "--state=bored"}, "weir: --state: expected "},
           Case{{"dump", "a", "--label==x"}, "weir: --label: expected key or key=value\n"},
           Case{{"dump", "a", "--age=long"}, "weir: --age: expected a number of seconds, 0 or"},
           Case{{"graph", "a", "--package="}, "weir: --package: 1 required NAME missing; see"},
           Case{{"dump", "a", "--site=lock"}, "weir: --site: expected 0x and hexadecimal digits\n"},
           Case{{"diff", "a"}, "weir: weir diff: NEW is required; see weir diff --help\n"},
           Case{{"diff", "-", "-"}, "weir: -: stdin cannot be both OLD and NEW\n"},
           Case{{"diff", "a", "b", "--ignore=("}, "weir: --ignore: "},
           Case{{"diff", "a", "b", "--threshold=x"}, "weir: "},
           Case{{"diff", "a", "b", "--link-base=javascript:x"},
                "weir: --link-base: expected a URL"},
           Case{{"graph", "a", "--focus=["}, "weir: --focus: "},
           Case{{"graph", "a", "--nodecount=0"}, "weir: --nodecount: "},
           Case{{"graph", "a", "--format=gif"}, "weir: --format: gif not in {svg,png,dot}; see"},
           Case{{"completion", "csh"}, "weir: SHELL: csh not in {bash,zsh,fish}; see"},
           Case{{"dump", "no\nsuch\x1b[2Jfile"}, "weir: no\\nsuch\\x1b[2Jfile: No such file or"},
       }) {
    const auto [status, text] = run(c.words);
    EXPECT_EQ(status, 2) << text;
    EXPECT_THAT(text, ::testing::StartsWith(c.expected));
    EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
  }
}

}  // namespace
}  // namespace weir::tools
