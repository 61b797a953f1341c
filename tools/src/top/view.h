// The view: a model as the lines of a screen. Pure: the same model at the same time gives the same
// lines.
#pragma once

#include <cstdint>
#include <vector>

#include "line.h"
#include "model.h"

namespace weir::tools::top {

// Exactly as many lines as the model's size has, none wider than its columns.
std::vector<Line> render(const Model& model, int64_t now_ns);

// One frame as plain text, for who has no terminal: as many lines as there are, no keys.
std::string render_text(const Model& model, int64_t now_ns);

// The lines below the head; view_body.cc.
void draw_body(const Model& model, std::vector<Line>& to);
void draw_curve(const Model& model, std::vector<Line>& to);
Line headings(const Model& model);
// view_help.cc
std::vector<Line> help_lines(const Model& model);

}  // namespace weir::tools::top
