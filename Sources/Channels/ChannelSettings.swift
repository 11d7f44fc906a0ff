package import Notices
package import Transfer

/// How messages are worded and what bounds their way.
package struct ChannelSettings: Sendable {
    package var notice: NoticeSettings
    package var transfer: TransferSettings

    /// - Parameters:
    ///   - transfer: its certificates and proxy count.
    ///   - messageSeconds: for the whole of one message.
    package init(
        notice: NoticeSettings, transfer: TransferSettings = TransferSettings(),
        messageSeconds: Int = Self.messageSeconds
    ) {
        self.notice = notice
        self.transfer = transfer
        self.transfer.totalSeconds = messageSeconds
        self.transfer.responseBytes = Self.answerBytes
    }

    /// From the name's resolution to the answer, in real seconds.
    package static let messageSeconds = 60
    /// An answer is a word or a small object.
    package static let answerBytes = 1 << 20
}
