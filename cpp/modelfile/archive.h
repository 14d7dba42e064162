// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vitrify {

/// The zip archive of a model file, read once and checked as a whole, so that every reader sees the same entries: names
/// are exact, nothing is compressed or encrypted, headers and directory agree, and no byte lies outside of them.
class Archive {
public:
  /// Reads and checks the whole file; throws Error if it is missing, damaged, too large, or another kind of file.
  explicit Archive(const std::string &path);
  Archive(const Archive &) = delete;
  Archive &operator=(const Archive &) = delete;

  const std::string &path() const { return path_; }
  /// All bytes of the file.
  std::string_view bytes() const { return data_; }
  /// Names of the entries, in the order of the file.
  std::vector<std::string> names() const;
  bool has(const std::string &name) const { return index_.count(name) != 0; }
  /// The bytes of an entry, valid as long as this object; throws Error if there is none.
  std::string_view content(const std::string &name) const;
  /// The bytes of an entry of the folder "extra", where TorchScript keeps what is not its own; empty if there is none.
  std::string_view extra(const std::string &name) const;
  /// The text of vitrify.json; throws Error that says what the file is instead, if there is none.
  std::string_view metadata_text() const;
  /// SHA-256 of the file, in hexadecimal digits.
  std::string sha256() const;

private:
  struct Entry {
    std::string name;
    std::size_t offset, size;
  };

  [[noreturn]] void fail(const std::string &what) const;
  [[noreturn]] void fail_corrupt(const std::string &where) const;
  void read();
  void list_entries();
  void read_entry(std::size_t &directory, std::size_t end, std::size_t &header);
  void check_name(const std::string &name);
  std::uint64_t number(std::size_t at, int bytes) const;
  bool has_signature(std::size_t at, std::string_view signature) const;

  std::string path_;
  std::string data_;
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> index_;        // name -> index in entries_
  std::map<std::string, std::string> spellings_;    // name of an entry or a folder in lower case -> as it is written
};

}    // namespace vitrify
