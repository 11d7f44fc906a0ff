import CCurl
import Secret

/// Lines as libcurl takes them: headers or recipients. They may hold secrets, so all are wiped before their memory is
/// given back.
struct CurlList: ~Copyable {
    private(set) var list: UnsafeMutablePointer<curl_slist>?

    /// - Returns: false if there is no memory for it.
    mutating func append(_ line: [UInt8]) -> Bool {
        let longer = line.withUnsafeBytes { withTerminated($0) { curl_slist_append(list, $0) } }
        guard let longer else { return false }
        list = longer
        return true
    }

    deinit {
        var line = list
        while let current = line {
            if let text = current.pointee.data {
                var end = text
                while end.pointee != 0 { end += 1 }
                wipe(UnsafeMutableRawBufferPointer(start: text, count: end - text))
            }
            line = current.pointee.next
        }
        curl_slist_free_all(list)
    }
}

extension CurlList {
    /// The headers of a request.
    /// - Throws: `TransferFailure` for a header with a line break, which could smuggle in another one.
    init(headersOf request: HTTPRequest) throws(TransferFailure) {
        self.init()
        for header in request.headers {
            try append(header: Array("\(header.name): \(header.value)".utf8), name: header.name)
        }
        if let authorization = request.authorization {
            var line = Array("\(authorization.header): \(authorization.prefix)".utf8)
            authorization.secret.withUTF8 { line += $0 }
            defer { line.withUnsafeMutableBytes { wipe($0) } }
            try append(header: line, name: authorization.header)
        }
    }

    private mutating func append(header line: [UInt8], name: String) throws(TransferFailure) {
        guard line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw TransferFailure(.invalidRequest, message: "the header \(name) has a control character")
        }
        guard append(line) else { throw TransferFailure(.other, message: "no memory for a header") }
    }
}

extension Secret {
    /// The secret as C reads it, behind something that is none; the copy is wiped afterwards.
    func withCString<R>(after start: String = "", _ body: (UnsafePointer<CChar>) -> R) -> R {
        var bytes = Array(start.utf8)
        withUTF8 { bytes += $0 }
        defer { bytes.withUnsafeMutableBytes { wipe($0) } }
        return bytes.withUnsafeBytes { withTerminated($0, body) }
    }
}

private func withTerminated<R>(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafePointer<CChar>) -> R) -> R {
    withUnsafeTemporaryAllocation(byteCount: bytes.count + 1, alignment: 1) { buffer in
        buffer.copyMemory(from: bytes)
        buffer[bytes.count] = 0
        defer { wipe(buffer) }
        return body(buffer.baseAddress!.assumingMemoryBound(to: CChar.self))
    }
}

/// Written byte by byte, so that an empty line is left, which libcurl frees like any other.
private func wipe(_ bytes: UnsafeMutableRawBufferPointer) {
    for index in bytes.indices { bytes.storeBytes(of: 0, toByteOffset: index, as: UInt8.self) }
}
