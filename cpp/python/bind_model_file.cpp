// SPDX-License-Identifier: BSD-3-Clause
#include "base/sha256.h"
#include "modelfile/model_file.h"
#include "modelfile/trust.h"
#include "python/bindings.h"

#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <string_view>

namespace vitrify {

namespace py = pybind11;

namespace {

py::bytes bytes_of(std::string_view text)
{ return {text.data(), text.size()}; }

}    // namespace

void bind_model_file(py::module_ &module)
{
  py::class_<Archive>(module, "Archive", "The zip archive of a model file, read once and checked as a whole.")
      .def(py::init<const std::string &>(), py::arg("path"))
      .def_property_readonly("path", &Archive::path, "The path that was read.")
      .def_property_readonly("names", &Archive::names, "Names of the entries, in the order of the file.")
      .def_property_readonly(
          "bytes", [](const Archive &archive) { return bytes_of(archive.bytes()); }, "All bytes of the file.")
      .def_property_readonly("sha256", &Archive::sha256, "SHA-256 of the file, in hexadecimal digits.")
      .def(
          "read", [](const Archive &archive, const std::string &name) { return bytes_of(archive.content(name)); },
          py::arg("name"), "The bytes of an entry.")
      .def(
          "extra", [](const Archive &archive, const std::string &name) { return bytes_of(archive.extra(name)); },
          py::arg("name"), "The bytes of an entry of the folder extra; empty if there is none.")
      .def_property_readonly(
          "metadata_text", [](const Archive &archive) { return bytes_of(archive.metadata_text()); },
          "The text of vitrify.json.");
  module.def(
      "check_json",
      [](const py::bytes &text, const std::string &path) { check_json(static_cast<std::string>(text), path); },
      py::arg("text"), py::arg("path"),
      "Raises VitrifyError unless the text of vitrify.json is JSON that all readers take in the same way.");
  module.def(
      "check_metadata",
      [](const py::bytes &text, const std::string &path) { check_metadata(static_cast<std::string>(text), path); },
      py::arg("text"), py::arg("path"),
      "Raises VitrifyError unless the text of vitrify.json passes the checks that LAMMPS makes; of kinds that "
      "only Python knows, those of any JSON.");
  module.def(
      "read_metadata", [](const std::string &path) { return ModelFile(path).metadata_text(); }, py::arg("path"),
      "The text of vitrify.json in a model file, after every check that the LAMMPS plugin makes.");
  module.def(
      "has_native_weights", [](const std::string &path) { return ModelFile(path).has_native_weights(); },
      py::arg("path"), "True if the native engine can run the model file.");
  module.def(
      "sha256", [](const py::bytes &content) { return sha256(static_cast<std::string>(content)); }, py::arg("content"),
      "SHA-256 of bytes, in hexadecimal digits.");
  module.def("is_trusted", &is_trusted, py::arg("sha256"),
             "True if a file of this SHA-256 comes with vitrify, or is on the user's list.");
  module.def("trusted_list", &trusted_list, "Path of the user's list of trusted files; empty if there is no folder.");
}

}    // namespace vitrify
