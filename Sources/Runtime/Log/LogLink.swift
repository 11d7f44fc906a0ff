import FoundationEssentials
import Glibc
package import Messaging

/// How the programs of a directory reach the log: their own through its sockets, or one on another machine, which the
/// pipeline names by its addresses and its key.
package struct LogLink: Sendable {
    /// Its addresses and, on another machine, whose key is whose.
    package let options: RemoteLogOptions
    /// Whether the log's file lies on another machine: everything is then read over the network.
    package let isElsewhere: Bool

    /// Of the directory's pipeline file; one without any has the log's sockets.
    /// - Throws: `DocumentProblems` for a pipeline that cannot be; `CommandFailure` for a key that is missing or open to others.
    package static func of(_ directory: StateDirectory, pipeline: String? = nil) throws -> LogLink {
        let file = pipeline ?? directory.pipeline
        guard let elsewhere = try logElsewhere(file) else {
            return LogLink(options: RemoteLogOptions(endpoints: try directory.endpoints()), isElsewhere: false)
        }
        let secret = try readPrivateKey(
            directory.busKey, hint: "make one with: finops bus key --dir \(directory.path)")
        guard let curve = CurveClient(secretKey: secret, server: elsewhere.serverKey) else {
            throw CommandFailure(.failure, "\(directory.busKey) or the server_key in \(file) is not a CURVE key")
        }
        let endpoints = LogEndpoints(requests: elsewhere.requests, events: elsewhere.events)
        return LogLink(options: RemoteLogOptions(endpoints: endpoints, curve: curve), isElsewhere: true)
    }

    /// A pipeline without any `server_key` is not proved here: its log is the directory's, whatever else is wrong with it.
    private static func logElsewhere(
        _ file: String
    ) throws -> (requests: String, events: String, serverKey: String)? {
        guard access(file, F_OK) == 0 else { return nil }
        guard try String(contentsOfFile: file, encoding: .utf8).contains("server_key") else { return nil }
        return try Topology.load(file).logElsewhere
    }
}

/// The text of a file that holds a key and nothing else.
/// - Throws: `CommandFailure` if it cannot be read, or others can read it.
package func readPrivateKey(_ path: String, hint: String? = nil) throws -> String {
    var status = stat()
    guard stat(path, &status) == 0 else {
        throw CommandFailure(.failure, "cannot read the key \(path): \(String(cString: strerror(errno)))", hint: hint)
    }
    guard status.st_mode & 0o077 == 0 else {
        throw CommandFailure(.failure, "\(path) is open to others", hint: "close it with: chmod 600 \(path)")
    }
    return try String(contentsOfFile: path, encoding: .utf8).filter { !$0.isWhitespace }
}
