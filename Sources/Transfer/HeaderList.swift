import CCurl
import Secret

/// A request's headers as libcurl takes them. The lines with secrets are wiped before their memory is given back.
struct HeaderList: ~Copyable {
    private(set) var list: UnsafeMutablePointer<curl_slist>?

    /// - Throws: `TransferFailure` for a header with a line break, which could smuggle in another one.
    init(_ request: HTTPRequest) throws(TransferFailure) {
        list = nil
        for header in request.headers {
            try append(Array("\(header.name): \(header.value)".utf8), name: header.name)
        }
        if let authorization = request.authorization {
            var line = Array("\(authorization.header): \(authorization.prefix)".utf8)
            authorization.secret.withUTF8 { line += $0 }
            defer { line.withUnsafeMutableBytes { HeaderList.wipe($0) } }
            try append(line, name: authorization.header)
        }
    }

    private mutating func append(_ line: [UInt8], name: String) throws(TransferFailure) {
        guard line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw TransferFailure(.invalidRequest, message: "the header \(name) has a control character")
        }
        let longer = line.withUnsafeBytes { bytes in
            withUnsafeTemporaryAllocation(byteCount: bytes.count + 1, alignment: 1) { buffer in
                buffer.copyMemory(from: bytes)
                buffer[bytes.count] = 0
                defer { HeaderList.wipe(buffer) }
                return curl_slist_append(list, buffer.baseAddress!.assumingMemoryBound(to: CChar.self))
            }
        }
        guard let longer else { throw TransferFailure(.other, message: "no memory for a header") }
        list = longer
    }

    deinit {
        var line = list
        while let current = line {
            if let text = current.pointee.data {
                var end = text
                while end.pointee != 0 { end += 1 }
                HeaderList.wipe(UnsafeMutableRawBufferPointer(start: text, count: end - text))
            }
            line = current.pointee.next
        }
        curl_slist_free_all(list)
    }

    /// Written byte by byte, so that an empty line is left, which libcurl frees like any other.
    private static func wipe(_ bytes: UnsafeMutableRawBufferPointer) {
        for index in bytes.indices { bytes.storeBytes(of: 0, toByteOffset: index, as: UInt8.self) }
    }
}
