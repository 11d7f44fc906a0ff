import FoundationEssentials
import Glibc

/// The text of a file that a person wrote.
/// - Throws: `CommandFailure` that says in plain words why there is none.
func readDocument(_ path: String, hint: String? = nil) throws(CommandFailure) -> String {
    do { return try String(contentsOfFile: path, encoding: .utf8) } catch {
        let reason =
            if access(path, R_OK) != 0 { String(cString: strerror(errno)) } else if isDirectory(path) {
                "it is a directory, not a file"
            } else { "it is not text in UTF-8" }
        throw CommandFailure(.failure, "cannot read \(path): \(reason)", hint: hint)
    }
}
