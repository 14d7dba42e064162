// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "modelfile/metadata.h"

#include <string>
#include <string_view>
#include <vector>

namespace vitrify {

/// A model file on disk: a zip archive (TorchScript) whose records are stored uncompressed and hold vitrify.json.
class ModelFile {
public:
  /// Reads and checks the whole file; throws Error if it is missing, damaged or no model of vitrify's.
  explicit ModelFile(const std::string &path);
  ModelFile(const ModelFile &) = delete;
  ModelFile &operator=(const ModelFile &) = delete;

  const std::string &path() const { return path_; }
  /// The whole file, as it was when it was read.
  const std::string &bytes() const { return data_; }
  const std::string &metadata_text() const { return metadata_text_; }
  const Metadata &metadata() const { return metadata_; }

  /// True if the native engine can run the model: it has hyperparameters and weights as plain tensors.
  bool has_native_weights() const { return !native_weights_.empty(); }
  /// The bytes of weights.safetensors, valid as long as this object; empty if there are none.
  std::string_view native_weights() const { return native_weights_; }

private:
  struct Record {
    std::string name;
    std::size_t offset, size;
  };

  [[noreturn]] void fail(const std::string &what) const;
  void read();
  void list_records();
  Record read_directory_entry(std::size_t &at, std::size_t end) const;
  void check_crc(const Record &record, std::uint32_t expected) const;
  void refuse_code_that_runs_while_loading() const;
  std::string_view content(const Record &record) const;
  std::uint64_t number(std::size_t at, int bytes) const;

  std::string path_;
  std::string data_;
  std::vector<Record> records_;
  std::string metadata_text_;
  std::string_view native_weights_;
  Metadata metadata_;
};

/// The path of model `name`: as it stands, then in the directories of $LAMMPS_POTENTIALS, then in `shipped`.
/// Throws Error that says where it looked.
std::string find_model(const std::string &name, const std::vector<std::string> &shipped);

}    // namespace vitrify
