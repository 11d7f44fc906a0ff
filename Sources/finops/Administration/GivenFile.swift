import Foundation
import Runtime
import Secret

/// The bytes of a file that a person names.
/// - Parameter limit: in bytes; more is looked upon as another file than was meant.
/// - Throws: `CommandFailure` with `usage`, naming the file and why it cannot be read.
func givenFile(_ path: String, limit: Int) throws -> Data {
    var status = stat()
    guard stat(path, &status) == 0 else { throw unreadable(path, String(cString: strerror(errno))) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw unreadable(path, "it is not a file") }
    guard status.st_size <= limit else {
        throw unreadable(path, "it has more than \(limit >> 10) KiB; is this the right file?")
    }
    guard access(path, R_OK) == 0 else { throw unreadable(path, String(cString: strerror(errno))) }
    do { return try Data(contentsOf: URL(filePath: path)) } catch {
        throw unreadable(path, (error as NSError).localizedDescription)
    }
}

private func unreadable(_ path: String, _ reason: String) -> CommandFailure {
    CommandFailure(.usage, "cannot read \(path): \(reason)")
}

/// A provider's key in the file that `--key-file` names; `-` for standard input.
/// - Throws: `CommandFailure` with `usage`; what was read is not in it.
func givenKey(from file: String) throws -> Secret {
    let key: Secret
    do { key = try Secret.read(from: file) } catch { throw CommandFailure(.usage, "--key-file: \(error)") }
    guard key.withUTF8({ $0.allSatisfy { $0 > 0x20 && $0 < 0x7F } }) else {
        throw CommandFailure(
            .usage, "--key-file: a key has printable ASCII characters and no blanks",
            hint: "write the key into the file, nothing else")
    }
    return key
}
