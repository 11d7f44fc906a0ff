import EventLog

/// What a gateway keeps on disk: what it admits by, and what it has still to say about it.
struct KeptState: Equatable {
    /// Disablements in force that may not have reached the spool.
    var announcements: [RecordedEvent]
    /// The last moment of which the gateway knew all that the log knew, by the wall clock.
    var contact: Timestamp
    /// The sink's.
    var admission: [UInt8]

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(little: contact.microseconds)
        bytes.append(little: UInt32(announcements.count))
        for event in announcements { EventCodec.encode(event, into: &bytes) }
        return bytes + admission
    }

    /// - Throws: `EventDecoder.Malformed`.
    static func decode(_ bytes: [UInt8]) throws(EventDecoder.Malformed) -> KeptState {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(EventDecoder.Malformed) in
                var cursor = ByteCursor(bytes: bytes)
                let contact = Timestamp(microseconds: Int64(bitPattern: try cursor.integer(UInt64.self)))
                let count = try cursor.integer(UInt32.self)
                var decoder = EventDecoder()
                var announcements: [RecordedEvent] = []
                var offset = cursor.offset
                for _ in 0..<count { announcements.append(try decoder.decode(bytes, at: &offset)) }
                return KeptState(announcements: announcements, contact: contact, admission: Array(bytes[offset...]))
            }
        }
        return try result.get()
    }
}
